//! A library that is opened by a program which knows nothing of Omniglot: its functions that the
//! runtimes would have to watch are the C library's.
#![allow(unsafe_code)]

use omniglot_core::{Description, Error, Result};
use omniglot_linux::{Options, Process, ProtectionKeys, Unprotected};

/// No library at all: what the process lacks is found out before anything is loaded.
const NOTHING: Description =
    Description { name: "nothing", image: &[], shims: 0, slots: 0, functions: &[] };

/// What a start comes to.
const UNSUPPORTED: i32 = 1;
const OTHERWISE: i32 = 2;

fn outcome<R>(started: Result<R>) -> i32 {
    match started {
        Err(Error::Unsupported { what, .. }) if what.contains("opened later") => UNSUPPORTED,
        _ => OTHERWISE,
    }
}

/// Starts a library in the process of who opened this one.
#[unsafe(no_mangle)]
extern "C" fn omniglot_plugin_unprotected() -> i32 {
    // SAFETY: nothing is loaded.
    outcome(unsafe { Unprotected::start(&NOTHING, &Options::default()) })
}

/// The same behind a protection key: where there are any, that is what is missing, too.
#[unsafe(no_mangle)]
extern "C" fn omniglot_plugin_keys() -> i32 {
    outcome(ProtectionKeys::start(&NOTHING, &Options::default()))
}

/// The same in a process of its own, which does not mind.
#[unsafe(no_mangle)]
extern "C" fn omniglot_plugin_process() -> i32 {
    outcome(Process::start(&NOTHING, &Options::default()))
}
