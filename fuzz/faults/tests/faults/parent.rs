//! The parent's side: starts a process for each trial, and adds up the reports.

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::{places, subjects};

/// The environment variable that makes a process run a trial.
pub(crate) const TRIAL: &str = "OMNIGLOT_FAULTS_TRIAL";
/// Prefixes of the child's lines: the current subject, the number of runs, and the loads at a
/// place.
pub(crate) const AT: &str = "at: ";
pub(crate) const RUNS: &str = "runs: ";
pub(crate) const PLACE: &str = "place: ";

const MINUTES: &str = "OMNIGLOT_FUZZ_MINUTES";

/// The sum of all trials' reports.
#[derive(Debug, Default)]
struct Sum {
    runs: u64,
    places: BTreeMap<String, Counts>,
}

/// The number of loads at a place, and how many of them were changed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) loads: u64,
    pub(crate) changed: u64,
}

pub(crate) fn run() -> ExitCode {
    let arguments = Arguments::from_args();
    let names = subjects::trials();
    let minutes = minutes_each(names.len());
    let sum = Arc::<Mutex<Sum>>::default();
    let trials = names.into_iter().map(|name| {
        let (sum, trial) = (Arc::clone(&sum), name.clone());
        Trial::test(name, move || run_trial(&trial, minutes, &sum))
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    let is_whole = conclusion.num_passed > 0 && conclusion.num_filtered_out == 0;
    if arguments.list || conclusion.has_failed() || !is_whole {
        return conclusion.exit_code();
    }
    let sum = std::mem::take(&mut *sum.lock().unwrap_or_else(PoisonError::into_inner));
    println!("{} runs, seed {}", sum.runs, env::var("OMNIGLOT_FUZZ_SEED").unwrap_or("1".into()));
    if places::check(&sum.places) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns the time for each trial, in minutes: its share of the total, on all processors.
fn minutes_each(trials: usize) -> Option<f64> {
    let minutes: f64 = env::var(MINUTES).ok()?.parse().ok()?;
    let processors = thread::available_parallelism().map_or(1, usize::from);
    Some(minutes * processors.min(trials) as f64 / trials as f64)
}

fn run_trial(trial: &str, minutes: Option<f64>, sum: &Mutex<Sum>) -> Result<(), Failed> {
    let mut command = Command::new(env::current_exe()?);
    command.env(TRIAL, trial).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(minutes) = minutes {
        command.env(MINUTES, minutes.to_string());
    }
    let mut child = command.spawn()?;
    let errors = errors_of(&mut child);
    let mut last = String::from("nothing was run");
    for line in child.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines()) {
        let line = line?;
        match line.strip_prefix(AT) {
            Some(at) => last = at.to_owned(),
            None => sum.lock().unwrap_or_else(PoisonError::into_inner).add(&line),
        }
    }
    let status = child.wait()?;
    let errors = errors.and_then(|thread| thread.join().ok()).unwrap_or_default();
    if status.success() { Ok(()) } else { Err(format!("{last}: {status}\n{errors}").into()) }
}

/// Reads the child's standard error in a thread, so that the child never blocks on a full pipe.
fn errors_of(child: &mut Child) -> Option<thread::JoinHandle<String>> {
    let mut errors = child.stderr.take()?;
    Some(thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = errors.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }))
}

impl Sum {
    fn add(&mut self, line: &str) {
        if let Some(runs) = line.strip_prefix(RUNS) {
            self.runs += runs.parse().unwrap_or(0);
        }
        let Some((counts, place)) = line.strip_prefix(PLACE).and_then(|line| line.rsplit_once(' '))
        else {
            return;
        };
        let mut counts = counts.split(' ').map(|count| count.parse().unwrap_or(0));
        let sum = self.places.entry(place.to_owned()).or_default();
        sum.loads += counts.next().unwrap_or(0);
        sum.changed += counts.next().unwrap_or(0);
    }
}
