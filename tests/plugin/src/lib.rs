//! A library that a program without Omniglot opens. The functions that the runtimes would have to
//! intercept are then those of the C library.
#![allow(unsafe_code)]

use omniglot_core::{Description, Error, Result};
use omniglot_linux::{Options, Process, ProtectionKeys, Unprotected};

/// No library: that the process lacks something is found out before anything is loaded.
const NOTHING: Description =
    Description { name: "nothing", image: &[], shims: 0, slots: 0, functions: &[] };

/// The outcomes of a start.
const UNSUPPORTED: i32 = 1;
const OTHERWISE: i32 = 2;

fn outcome<R>(started: Result<R>) -> i32 {
    match started {
        Err(Error::Unsupported { what, .. }) if what.contains("opened later") => UNSUPPORTED,
        _ => OTHERWISE,
    }
}

/// Starts a library in the process that has opened this one.
#[unsafe(no_mangle)]
extern "C" fn omniglot_plugin_unprotected() -> i32 {
    // SAFETY: nothing is loaded.
    outcome(unsafe { Unprotected::start(&NOTHING, &Options::default()) })
}

/// The same behind a protection key. On a machine with keys, the same thing is missing.
#[unsafe(no_mangle)]
extern "C" fn omniglot_plugin_keys() -> i32 {
    outcome(ProtectionKeys::start(&NOTHING, &Options::default()))
}

/// The same in a worker process, which needs no interception.
#[unsafe(no_mangle)]
extern "C" fn omniglot_plugin_process() -> i32 {
    outcome(Process::start(&NOTHING, &Options::default()))
}
