//! A library whose every function attacks its host. Each attack ends with an error or is harmless,
//! the host's memory stays unchanged, and afterwards a fresh instance works.
//!
//! Each attack is one entry of a table: its name, the required outcome, and the host's calls that
//! trigger it. Here the library runs in a worker process.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

#[path = "attacks/mod.rs"]
mod attacks;
#[path = "attacks/worker/mod.rs"]
mod worker;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let mut trials = attacks::trials(worker::HOME);
    trials.extend(worker::trials());
    if attacks::isolated::is_serving() {
        return attacks::isolated::serve();
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
