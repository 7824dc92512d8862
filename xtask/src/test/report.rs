//! Reports the results of tests to the user, on standard output.
//!
//! Nothing here uses `println!`, which panics if the reader of the output has gone away.

use std::io::{Result, Write, stdout};
use std::path::Path;
use std::time::Duration;

use anyhow::Error;

use super::matrix::Matrix;
use super::outcome::Outcome;
use super::results::Tally;
use crate::{ci, log};

/// Reports the result of the suite `name`, with its output if it failed.
pub(super) fn suite(name: &str, outcome: &Outcome, took: Duration, log: &Path) -> Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{name}: {} ({:.1} s)", outcome.tally, took.as_secs_f64())?;
    if outcome.problems.is_empty() {
        return Ok(());
    }
    // The disk of a CI job is lost afterwards, so the whole log is printed.
    let output = if ci::is_job() { log::whole(log) } else { log::tail(log) };
    writeln!(out, "{output}")?;
    for problem in &outcome.problems {
        writeln!(out, "  {problem}")?;
    }
    Ok(())
}

/// Prints the table of attacks by runtime.
pub(super) fn table(matrix: &Matrix) -> Result<()> {
    write!(stdout().lock(), "\n{matrix}\n")
}

/// Reports that the suite `name` does not run, since the workspace has no such `package`.
pub(super) fn left_out(name: &str, package: &str) -> Result<()> {
    writeln!(stdout(), "{name}: skipped, since there is no package {package}")
}

/// Reports that no test of the suite `name` ran. In a job of a continuous-integration service that
/// is a failure.
pub(super) fn skipped(name: &str, reason: &Error) -> Result<Tally> {
    let is_job = ci::is_job();
    let word = if is_job { "FAILED" } else { "SKIPPED" };
    writeln!(stdout(), "\n{name}: {word}: none of its tests could run: {reason:#}")?;
    let one = usize::from(is_job);
    Ok(Tally { failed: one, skipped: 1 - one, passed: 0 })
}

/// Reports that optional tests could not run: what they need may change, or may not be available.
pub(super) fn passed_over(name: &str, reason: &Error) -> Result<Tally> {
    writeln!(stdout(), "\n{name}: SKIPPED, which fails nothing: {reason:#}")?;
    Ok(Tally { failed: 0, skipped: 1, passed: 0 })
}

/// Reports the total over all suites. This is the last line of a run of tests.
pub(super) fn total(tally: Tally) -> Result<()> {
    writeln!(stdout(), "\n{tally}")
}
