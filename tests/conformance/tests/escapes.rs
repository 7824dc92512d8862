//! Libraries in the host's own process that try to escape. They include the attacks that every
//! runtime stops, and escapes that only apply in the host's process.
//!
//! Each escape is one entry of a table: its name, the required outcome, and the host's calls that
//! trigger it. Each has its own host process, since one that succeeds may crash it. `unprotected::`
//! has those that a runtime without protection stops too; `keys::` has all of them, on a machine
//! with protection keys.
#![allow(missing_docs)]
#![deny(unsafe_code)]

#[path = "attacks/mod.rs"]
mod attacks;
#[path = "escapes/mod.rs"]
mod escapes;

use std::process::ExitCode;

use attacks::home::Home;
use escapes::homes::{KEYS, UNPROTECTED};
use libtest_mimic::{Arguments, Trial};
use omniglot::{ProtectionKeys, Runtime};

fn main() -> ExitCode {
    // The guest is for tests that need keys; the others run natively.
    let mut trials = if attacks::home::is_emulated() { Vec::new() } else { all(UNPROTECTED) };
    let keys = all(KEYS);
    if attacks::isolated::is_serving() {
        return attacks::isolated::serve();
    }
    match ProtectionKeys::check() {
        Ok(()) => trials.extend(keys),
        Err(lack) => {
            eprintln!("{} tests behind protection keys are ignored: {lack}", keys.len());
            trials.extend(keys.into_iter().map(|trial| trial.with_ignored_flag(true)));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn all<R: Runtime>(home: Home<R>) -> Vec<Trial> {
    let mut trials = attacks::trials(home);
    trials.extend(escapes::trials(home));
    trials
}
