//! `cargo xtask demo`: builds and runs the demo.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::workspace::Workspace;
use crate::{cargo, watch};

const PACKAGE: &str = "omniglot-demo";

/// Builds the demo, runs it with `args`, and returns its exit status.
pub(crate) fn run(args: &[OsString]) -> Result<ExitCode> {
    build()?;
    // The demo runs in the user's directory, since the file names in `args` are relative to it.
    let status = cargo::command()
        .args(["run", "--locked", "--release", "--quiet", "--package", PACKAGE, "--"])
        .args(args)
        .status()
        .context("could not start cargo")?;
    Ok(cargo::exit_code(status))
}

/// Builds the demo first, since `cargo run --quiet` would be silent during a whole first build.
fn build() -> Result<()> {
    let mut command = cargo::command();
    command.args(["build", "--locked", "--release", "--package", PACKAGE]);
    watch::step("Building the demo", &mut command, &Workspace::load()?.log("demo-build"))
}
