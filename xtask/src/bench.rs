//! `cargo xtask bench`: runs the benchmarks.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::cargo;

/// Runs the benchmarks named in `only`, or all of them, and passes the exit status on.
///
/// The figures are printed, and also written to the file `json` if there is one.
pub(crate) fn run(only: &[String], json: Option<&Path>) -> Result<ExitCode> {
    let mut command = cargo::command();
    command.args(["run", "--locked", "--release", "--package", "omniglot-bench", "--"]);
    for name in only {
        command.args(["--only", name]);
    }
    if let Some(json) = json {
        command.arg("--json").arg(json);
    }
    let status = command.status().context("could not start cargo")?;
    Ok(cargo::exit_code(status))
}
