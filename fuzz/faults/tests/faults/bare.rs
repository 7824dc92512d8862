//! The library in this process, without protection.
#![allow(unsafe_code)]

use std::time::Duration;

use omniglot::{Library, Options, Unprotected};
use omniglot_conformance::conformance::Conformance;

use crate::subjects::text;

pub(crate) fn options(timeout: Duration) -> Options {
    let mut options = Options::default();
    options.memory_limit = 64 << 20;
    options.timeout = Some(timeout);
    options
}

pub(crate) fn unprotected(timeout: Duration) -> Result<Conformance<Unprotected>, String> {
    let description = &Conformance::<Unprotected>::DESCRIPTION;
    // SAFETY: the suite's library writes no memory but its own in the cases that are run. Where
    // a value was changed it may be led astray, within its window or to addresses that are not
    // mapped: nothing changes a pointer into one to the host's memory but by a rare accident.
    let runtime = unsafe { Unprotected::start(description, &options(timeout)) }.map_err(text)?;
    Ok(Conformance::from_runtime(runtime))
}
