//! Libraries that run in the host's own process and try to get out: the attacks that
//! every runtime stops, and escapes that only make sense there.
//!
//! Each escape is one entry of a table: its name, what must come of it, and how the
//! host walks into it. Each has a host of its own, since one that succeeds may end it.
#![allow(missing_docs)]
#![deny(unsafe_code)]

#[path = "attacks/mod.rs"]
mod attacks;
#[path = "escapes/mod.rs"]
mod escapes;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let mut trials = attacks::trials(escapes::homes::UNPROTECTED);
    trials.extend(escapes::trials(escapes::homes::UNPROTECTED));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
