//! `cargo xtask`: the commands for working on Omniglot.
//!
//! Every command first checks that the system packages it needs are installed (see [`setup`]). So a
//! fresh Debian or Ubuntu with only Rust is enough to start from.

#![forbid(unsafe_code)]

mod bench;
mod cargo;
mod ci;
mod cli;
mod defences;
mod demo;
mod fuzz;
mod guest;
mod headers;
mod kernel;
mod libraries;
mod lint;
mod log;
mod package;
mod places;
mod progress;
mod riscv;
mod root;
mod sanitize;
mod setup;
mod soak;
mod test;
#[cfg(test)]
mod testing;
mod watch;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::cli::{Action, Cli};

/// The exit status if system packages are missing and were not installed.
const PACKAGES_MISSING: u8 = 3;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Sets up, then runs the command.
fn run(cli: Cli) -> Result<ExitCode> {
    if let Some(task) = cli.action.task()
        && !setup::prepare_suites(task, cli.action.suites(), cli.install)?
    {
        return Ok(ExitCode::from(PACKAGES_MISSING));
    }
    match cli.action {
        Action::Demo { args } => demo::run(&args),
        Action::Test { only, all } => test::run(&only, all, cli.install),
        Action::Bench(options) => bench::run(&options, cli.install),
        Action::Lint => lint::run(),
        Action::Package { allow_dirty } => package::run(allow_dirty),
        Action::Kernel(options) => kernel::run(&options),
        Action::Headers(options) => headers::run(&options),
        Action::Places(options) => places::run(&options),
        Action::Libraries(options) => libraries::run(&options),
        Action::Emulate(options) => riscv::emulate(&options),
        Action::Defences(options) => defences::run(&options, cli.install),
        Action::Soak(options) => soak::run(&options),
        Action::Fuzz(options) => fuzz::run(&options),
        Action::Guest(arguments) => Ok(arguments.run()),
        Action::Root(options) => Ok(root::run(&options, cli.install)),
        Action::Chosen(options) => test::chosen::run(&options),
    }
}
