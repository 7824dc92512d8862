//! The command `omniglot`: what build scripts do with `omniglot_build`, ahead of time.

#![forbid(unsafe_code)]

mod arguments;
mod bindings;
mod failure;
mod wording;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Action, Arguments};

fn main() -> ExitCode {
    let outcome = match Arguments::parse().action {
        Action::Bindings(arguments) => bindings::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
