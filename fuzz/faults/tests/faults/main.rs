//! Every load of foreign memory is changed in turn: each run must end in values or errors.
//!
//! It needs a build with `--cfg omniglot_faults`, which `cargo xtask test --only faults` makes;
//! others have no such tests. Each trial runs in a process of its own, so that one that crashes is
//! a failure like a panic.
#![allow(missing_docs)]

#[cfg(omniglot_faults)]
mod bare;
#[cfg(omniglot_faults)]
mod child;
#[cfg(omniglot_faults)]
mod parent;
#[cfg(omniglot_faults)]
mod places;
#[cfg(omniglot_faults)]
mod subjects;
#[cfg(omniglot_faults)]
mod values;

use std::process::ExitCode;

#[cfg(omniglot_faults)]
fn main() -> ExitCode {
    match std::env::var(parent::TRIAL) {
        Ok(trial) => child::run(&trial),
        Err(_) => parent::run(),
    }
}

#[cfg(not(omniglot_faults))]
fn main() -> ExitCode {
    let arguments = libtest_mimic::Arguments::from_args();
    libtest_mimic::run(&arguments, Vec::new()).exit_code()
}
