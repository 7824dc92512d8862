//! The runtimes that run libraries in the host's own process.
#![allow(unsafe_code)]

use omniglot::{Description, Interrupter, IsolationKind, Result, Unprotected};

use crate::attacks::home::{Home, options};

/// The runtime without protection.
pub(crate) const UNPROTECTED: Home<Unprotected> = Home {
    prefix: "unprotected::",
    isolation: IsolationKind::Unprotected,
    start: start_unprotected,
    interrupt: Interrupter::interrupt,
};

fn start_unprotected(description: &Description) -> Result<Unprotected> {
    // SAFETY: attacks that touch memory of the host are not run on this runtime.
    unsafe { Unprotected::start(description, &options()) }
}
