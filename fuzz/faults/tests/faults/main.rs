//! Changes every load of foreign memory in turn. Each run must end with values or errors.
//!
//! The tests exist only in a build with `--cfg omniglot_faults`, which `cargo xtask test --only
//! faults` makes. Each trial runs in its own process, so that a crash is reported as a failure,
//! like a panic.
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
