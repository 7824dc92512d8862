//! The library in this process, without protection.
#![allow(unsafe_code)]

use std::time::Duration;

use omniglot::{Library, Options, Unprotected};
use omniglot_conformance::conformance::Conformance;

use crate::subjects::text;

pub(crate) fn options(timeout: Duration) -> Options {
    let mut options = Options::default();
    options.memory_limit = 128 << 20;
    options.timeout = Some(timeout);
    options
}

pub(crate) fn unprotected(timeout: Duration) -> Result<Conformance<Unprotected>, String> {
    let description = &Conformance::<Unprotected>::DESCRIPTION;
    // SAFETY: in these cases the library writes only its own memory. A changed value may make it
    // write elsewhere in its window, or to addresses that are not mapped. Only by a rare accident
    // does a changed pointer lead to the host's memory.
    let runtime = unsafe { Unprotected::start(description, &options(timeout)) }.map_err(text)?;
    Ok(Conformance::from_runtime(runtime))
}
