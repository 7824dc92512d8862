//! Telling the user how the tests went, on standard output.
//!
//! Nothing here uses `println!`, which panics when whatever reads our output goes away.

use std::io::{Result, Write, stdout};
use std::path::Path;
use std::time::Duration;

use anyhow::Error;

use super::matrix::Matrix;
use super::outcome::Outcome;
use super::results::Tally;
use crate::{ci, log};

/// Reports how the suite called `name` went, with its output if it failed.
pub(super) fn suite(name: &str, outcome: &Outcome, took: Duration, log: &Path) -> Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{name}: {} ({:.1} s)", outcome.tally, took.as_secs_f64())?;
    if outcome.problems.is_empty() {
        return Ok(());
    }
    // The disk of a CI job is gone afterwards, so its log is printed whole.
    let output = if ci::is_job() { log::whole(log) } else { log::tail(log) };
    writeln!(out, "{output}")?;
    for problem in &outcome.problems {
        writeln!(out, "  {problem}")?;
    }
    Ok(())
}

/// Prints which attacks each runtime held against.
pub(super) fn table(matrix: &Matrix) -> Result<()> {
    write!(stdout().lock(), "\n{matrix}\n")
}

/// Reports that the suite called `name` does not run, since the workspace has no such `package`.
pub(super) fn left_out(name: &str, package: &str) -> Result<()> {
    writeln!(stdout(), "{name}: left out, as there is no package {package}")
}

/// Reports that not one test of the suite called `name` was run, which is a failure of a job of a
/// continuous-integration service.
pub(super) fn skipped(name: &str, reason: &Error) -> Result<Tally> {
    let is_job = ci::is_job();
    let word = if is_job { "FAILED" } else { "SKIPPED" };
    writeln!(stdout(), "\n{name}: {word}: not one of its tests could be run: {reason:#}")?;
    let one = usize::from(is_job);
    Ok(Tally { failed: one, skipped: 1 - one, passed: 0 })
}

/// Reports that tests which fail nothing could not be run: what they need changes, or need not
/// be there.
pub(super) fn passed_over(name: &str, reason: &Error) -> Result<Tally> {
    writeln!(stdout(), "\n{name}: SKIPPED, which fails nothing: {reason:#}")?;
    Ok(Tally { failed: 0, skipped: 1, passed: 0 })
}

/// Reports how all the suites went together. This is the last line that a run of tests prints.
pub(super) fn total(tally: Tally) -> Result<()> {
    writeln!(stdout(), "\n{tally}")
}
