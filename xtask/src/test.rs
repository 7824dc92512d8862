//! `cargo xtask test`: runs the suites of tests and counts.

mod outcome;
mod report;
mod results;
pub(crate) mod suites;

use std::process::ExitCode;
use std::thread;

use anyhow::{Error, Result, anyhow, bail};

use self::outcome::Outcome;
use self::results::Tally;
use self::suites::Suite;
use crate::guest;
use crate::progress::Progress;
use crate::watch;
use crate::workspace::Workspace;

/// Runs the suites named in `only`, or all of them, and prints how many tests passed and failed.
///
/// `asked` is whether the user said `--install`.
pub(crate) fn run(only: &[String], asked: bool) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let (mut possible, mut skipped) = (Vec::new(), Vec::new());
    for suite in select(only, &workspace)? {
        match obstacle(suite, &workspace, asked) {
            None => possible.push(suite),
            Some(reason) => skipped.push((suite, reason)),
        }
    }
    let mut total = run_all(&possible, &workspace)?;
    for (suite, reason) in &skipped {
        total += report::skipped(suite.name, reason)?;
    }
    report::total(total)?;
    let good = total.failed == 0 && total.passed > 0;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The suites to run; one that was asked for by name has to be there.
fn select(only: &[String], workspace: &Workspace) -> Result<Vec<&'static Suite>> {
    let mut selected = Vec::new();
    for suite in suites::named(only) {
        match suite.absent_package(workspace) {
            None => selected.push(suite),
            Some(package) if only.is_empty() => report::left_out(suite.name, package)?,
            Some(package) => bail!("the suite {} has no package {package} to run", suite.name),
        }
    }
    Ok(selected)
}

/// Why the suite cannot be run on this machine, if it cannot.
fn obstacle(suite: &Suite, workspace: &Workspace, asked: bool) -> Option<Error> {
    let needs = suite.needs_guest();
    needs.then(|| guest::prepare(workspace, asked)).and_then(Result::err)
}

/// Runs suites one after the other, but what is for other machines beside what needs a guest:
/// each of the two mostly waits for an emulator that keeps one processor busy.
fn run_all(suites: &[&'static Suite], workspace: &Workspace) -> Result<Tally> {
    let (emulated, ours): (Vec<&'static Suite>, Vec<&'static Suite>) =
        suites.iter().copied().partition(|suite| suite.is_emulated());
    let guests = ours.iter().position(|suite| suite.needs_guest()).unwrap_or(ours.len());
    let (first, last) = ours.split_at(guests);
    let mut total = run_each(first, workspace)?;
    thread::scope(|scope| {
        let beside = scope.spawn(|| run_each(&emulated, workspace));
        let here = run_each(last, workspace);
        let beside = beside.join().map_err(|_| anyhow!("the emulated suites' thread panicked"));
        total += here?;
        total += beside??;
        Ok(total)
    })
}

fn run_each(suites: &[&'static Suite], workspace: &Workspace) -> Result<Tally> {
    let mut total = Tally::default();
    for suite in suites {
        total += run_suite(suite, workspace)?;
    }
    Ok(total)
}

/// Runs one suite and reports on it.
fn run_suite(suite: &Suite, workspace: &Workspace) -> Result<Tally> {
    let log = workspace.log(suite.name);
    let mut progress = Progress::start(suite.name);
    let mut results = results::Reader::default();
    let ended = watch::run_all(&mut suite.commands(workspace)?, &log, |line| {
        progress.line(line);
        results.line(line);
    });
    let outcome = Outcome::new(results.finish(), ended);
    report::suite(suite.name, &outcome, progress.finish(), &log)?;
    Ok(outcome.tally)
}
