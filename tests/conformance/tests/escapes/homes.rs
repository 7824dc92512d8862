//! The runtimes that run libraries in the host's own process.
#![allow(unsafe_code)]

use omniglot::{
    Description, InterruptHandle, IsolationKind, ProtectionKeys, Result, Sfi, Unprotected,
};

use crate::attacks::home::{Home, options};

/// The runtime without protection.
pub(crate) const UNPROTECTED: Home<Unprotected> = Home {
    prefix: "unprotected::",
    isolation: IsolationKind::Unprotected,
    start: start_unprotected,
    interrupt: InterruptHandle::interrupt,
};

fn start_unprotected(description: &Description) -> Result<Unprotected> {
    // SAFETY: attacks that access the host's memory are not run on this runtime.
    unsafe { Unprotected::start(description, &options()) }
}

/// The runtime behind protection keys.
pub(crate) const KEYS: Home<ProtectionKeys> = Home {
    prefix: "keys::",
    isolation: IsolationKind::ProtectionKeys,
    start: start_behind_keys,
    interrupt: InterruptHandle::interrupt,
};

fn start_behind_keys(description: &Description) -> Result<ProtectionKeys> {
    ProtectionKeys::start(description, &options())
}

/// The runtime of verified code.
pub(crate) const VERIFIED: Home<Sfi> = Home {
    prefix: "sfi::",
    isolation: IsolationKind::Sfi,
    start: start_verified,
    interrupt: InterruptHandle::interrupt,
};

fn start_verified(description: &Description) -> Result<Sfi> {
    Sfi::start(description, &options())
}
