//! `cargo xtask test`: runs the suites of tests, and counts results.

mod arm64;
pub(crate) mod chosen;
mod distributions;
mod extent;
mod matrix;
mod outcome;
mod report;
mod results;
pub(crate) mod suites;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Error, Result, anyhow, bail};

use self::extent::Extent;
use self::matrix::Matrix;
use self::outcome::Outcome;
use self::results::Tally;
use self::suites::Suite;
use crate::guest;
use crate::log;
use crate::progress::Progress;
use crate::setup;
use crate::watch;
use crate::workspace::Workspace;

/// The environment variable that makes tests run everything that they usually only sample.
const WHOLE: &str = "OMNIGLOT_WHOLE";

/// Runs the suites named in `only`, or all of them, and prints how many tests passed and failed.
///
/// Tests that take long run only if their suite is named, or if `all` is set. `asked` is true if
/// the user passed `--install`.
pub(crate) fn run(only: &[String], all: bool, asked: bool) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let extent = Extent { thorough: all || !only.is_empty(), together: only.is_empty(), asked };
    let (mut possible, mut skipped, mut passed_over) = (Vec::new(), Vec::new(), Vec::new());
    for suite in select(only, all, &workspace)? {
        if let Some(reason) = suite.lacks_checker() {
            passed_over.push((suite, reason));
            continue;
        }
        match obstacle(suite, &workspace, asked) {
            None => possible.push(suite),
            Some(reason) => skipped.push((suite, reason)),
        }
    }
    let mut total = run_all(&possible, extent, &workspace)?;
    for (suite, reason) in &skipped {
        total += report::skipped(suite.name, reason)?;
    }
    for (suite, reason) in &passed_over {
        total += report::passed_over(suite.name, reason)?;
    }
    report::total(total)?;
    let good = total.failed == 0 && total.passed > 0;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The suites to run. A suite that is requested by name must exist.
fn select(only: &[String], all: bool, workspace: &Workspace) -> Result<Vec<&'static Suite>> {
    let mut selected = Vec::new();
    for suite in suites::named(only, all) {
        match suite.absent_package(workspace) {
            None => selected.push(suite),
            Some(package) if only.is_empty() => report::left_out(suite.name, package)?,
            Some(package) => bail!("the suite {} has no package {package} to run", suite.name),
        }
    }
    Ok(selected)
}

/// The reason why the suite cannot run on this machine, if it cannot.
fn obstacle(suite: &Suite, workspace: &Workspace, asked: bool) -> Option<Error> {
    let guest = suite.needs_guest().then(|| guest::prepare(workspace, asked));
    let root = || suite.needs_root().then(|| setup::prepare_roots(asked));
    let libraries = || suite.needs_libraries().then(|| setup::prepare_libraries(asked));
    let places = || suite.needs_places().then(|| setup::prepare_places(asked));
    let others = || root().and_then(Result::err).or_else(|| libraries().and_then(Result::err));
    let others = || others().or_else(|| places().and_then(Result::err));
    let arm64 = || suite.needs_arm64().then(|| guest::prepare_arm64(workspace, asked));
    let others = || others().or_else(|| arm64().and_then(Result::err));
    guest.and_then(Result::err).or_else(others)
}

/// Runs two suites at a time: one thread takes suites from the front, the other from the back.
///
/// Suites at the back run in emulators, which mostly keep one processor busy. Those in front
/// compile much. In parallel they use two processors well.
fn run_all(suites: &[&'static Suite], extent: Extent, workspace: &Workspace) -> Result<Tally> {
    let waiting = Mutex::new(VecDeque::from(suites.to_vec()));
    thread::scope(|scope| {
        let beside = scope.spawn(|| run_from(&waiting, VecDeque::pop_back, extent, workspace));
        let here = run_from(&waiting, VecDeque::pop_front, extent, workspace);
        let beside =
            beside.join().map_err(|_| anyhow!("the thread that ran half of the suites panicked"));
        let mut total = here?;
        total += beside??;
        Ok(total)
    })
}

/// The suites that have not run yet.
type Waiting = VecDeque<&'static Suite>;

/// Runs suites one after another, until `take` finds none in `waiting`.
fn run_from(
    waiting: &Mutex<Waiting>,
    take: fn(&mut Waiting) -> Option<&'static Suite>,
    extent: Extent,
    workspace: &Workspace,
) -> Result<Tally> {
    let next = || take(&mut waiting.lock().unwrap_or_else(PoisonError::into_inner));
    let mut total = Tally::default();
    while let Some(suite) = next() {
        total += run_suite(suite, extent, workspace)?;
    }
    Ok(total)
}

/// Runs a suite, and reports its result.
fn run_suite(suite: &'static Suite, extent: Extent, workspace: &Workspace) -> Result<Tally> {
    if suite.needs_root() {
        return run_releases(suite, extent, workspace);
    }
    let mut commands = suite.commands(extent, workspace)?;
    if extent.thorough {
        for command in &mut commands {
            command.env(WHOLE, "1");
        }
    }
    let (outcome, took, log) = watch(suite.name, commands, workspace);
    if suite.is_table() {
        report::table(&Matrix::read(&log::whole(&log)))?;
    }
    report::suite(suite.name, &outcome, took, &log)?;
    Ok(outcome.tally)
}

/// Runs a suite once for each Debian release, and reports each result.
fn run_releases(suite: &Suite, extent: Extent, workspace: &Workspace) -> Result<Tally> {
    let mut total = Tally::default();
    for release in distributions::releases(extent.thorough) {
        let name = format!("{}, {}", suite.name, release.name);
        total += match distributions::run(release, extent, workspace) {
            Err(reason) if release.moves => report::passed_over(&name, &reason)?,
            Err(reason) => report::skipped(&name, &reason)?,
            Ok(run) => {
                let (outcome, took, log) = watch(&name, run.commands, workspace);
                let name = format!("{name} with glibc {}", run.libc);
                let outcome = if release.moves { outcome.as_warning() } else { outcome };
                report::suite(&name, &outcome, took, &log)?;
                outcome.tally
            }
        }
    }
    Ok(total)
}

/// Runs commands that print test results, and judges these.
fn watch(
    name: &str,
    mut commands: Vec<Command>,
    workspace: &Workspace,
) -> (Outcome, Duration, PathBuf) {
    let log = workspace.log(&name.replace(", ", "-").replace(' ', "-").to_lowercase());
    let mut progress = Progress::start(name);
    let mut results = results::Reader::default();
    let ended = watch::run_all(&mut commands, &log, |line| {
        progress.line(line);
        results.line(line);
    });
    (Outcome::new(results.finish(), ended), progress.finish(), log)
}
