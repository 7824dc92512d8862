//! `cargo xtask demo`: builds and runs the demo.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::workspace::Workspace;
use crate::{cargo, watch};

const PACKAGE: &str = "omniglot-demo";

/// Builds the demo, runs it with `args` and passes its exit status on.
pub(crate) fn run(args: &[OsString]) -> Result<ExitCode> {
    build()?;
    // It runs where the user is, for that is where the files named in `args` are.
    let status = cargo::command()
        .args(["run", "--locked", "--release", "--quiet", "--package", PACKAGE, "--"])
        .args(args)
        .status()
        .context("could not start cargo")?;
    Ok(cargo::exit_code(status))
}

/// Builds the demo on its own: `cargo run --quiet` would be silent for all of a first build.
fn build() -> Result<()> {
    let mut command = cargo::command();
    command.args(["build", "--locked", "--release", "--package", PACKAGE]);
    watch::step("Building the demo", &mut command, &Workspace::load()?.log("demo-build"))
}
