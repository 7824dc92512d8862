//! The command `omniglot`: generates bindings ahead of time, and inspects machines and libraries.

#![forbid(unsafe_code)]

mod arguments;
mod bindings;
mod descriptions;
mod doctor;
mod failure;
mod learn;
mod remedies;
mod scan;
mod wording;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Action, Arguments};

fn main() -> ExitCode {
    let outcome = match Arguments::parse().action {
        Action::Bindings(arguments) => bindings::run(&arguments).map(|()| ExitCode::SUCCESS),
        Action::Doctor(arguments) => doctor::run(&arguments),
        Action::Learn(arguments) => learn::run(&arguments),
        Action::Scan(arguments) => scan::run(&arguments),
    };
    match outcome {
        Ok(status) => status,
        Err(failure) => failure.report(),
    }
}
