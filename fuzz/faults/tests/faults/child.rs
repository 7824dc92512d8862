//! The child's side: one trial, in its own process.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{ExitCode, abort};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use omniglot::faults::{self, Plan, SourceLine};
use omniglot_fuzz::{Random, Session};

use crate::parent::{AT, PLACE, RUNS};
use crate::subjects::{self, Subject};

/// The largest number of loads of a conformance case that are changed one by one. If there are
/// more, random ones are picked.
const MOST: u64 = 40;
/// Number of runs in which many loads are changed together.
const TIMES: u64 = 4;
/// The time limit of a trial's run, which waits only for calls with shorter limits.
const LIMIT: Duration = Duration::from_secs(240);

/// For each place, the indices of the subjects that reached it, and how many loads each made there.
type Reached = BTreeMap<SourceLine, Vec<(usize, u64)>>;

static RUN: AtomicU64 = AtomicU64::new(0);

/// Runs a trial's subjects. A panic or a crash ends the process, and the parent reports it.
pub(crate) fn run(trial: &str) -> ExitCode {
    thread::spawn(watch);
    let mut session = Session::new(trial, 0);
    let subjects = subjects::of(trial);
    let mut loads = Vec::new();
    let mut reached = Reached::new();
    for (index, subject) in subjects.iter().enumerate() {
        say(&format!("{AT}{}, unchanged", subject.name));
        if let Err(reason) = subject.check() {
            say(&format!("{AT}{}, unchanged: {reason}", subject.name));
            return ExitCode::FAILURE;
        }
        let before = faults::places();
        loads.push(faults::with(Plan::One(u64::MAX), 0, || subject.try_out()).1);
        for (place, counts) in faults::places() {
            let before = before.get(&place).map_or(0, |counts| counts.loads);
            if counts.loads > before {
                reached.entry(place).or_default().push((index, counts.loads - before));
            }
        }
    }
    if session.is_long() {
        run_long(&mut session, &subjects, &loads);
    } else {
        // For subjects that were written for this test, every load is changed.
        let is_ours = trial.ends_with("::values") || trial.ends_with("::starts");
        let most = if is_ours { u64::MAX } else { MOST };
        let mut random = Random::new(session.seed());
        for (subject, loads) in subjects.iter().zip(loads) {
            run_each(&mut random, subject, loads, most);
        }
        run_places(&mut random, &subjects, &reached);
    }
    report();
    ExitCode::SUCCESS
}

/// Changes every load by itself, then many together.
fn run_each(random: &mut Random, subject: &Subject, loads: u64, most: u64) {
    let step = loads.div_ceil(most).max(1);
    for first in (0..loads).step_by(step as usize) {
        try_out(subject, Plan::One(first + random.below(step)), random.number());
    }
    for _ in 0..TIMES {
        try_out(subject, Plan::Many(2 + random.below(loads)), random.number());
    }
}

/// Changes a load at each place that was reached. How often a host polls for an answer depends on
/// timing, so changing loads by their number alone would miss places that are rarely reached.
fn run_places(random: &mut Random, subjects: &[Subject], reached: &Reached) {
    for (place, by) in reached {
        for _ in 0..TIMES {
            let Some((index, loads)) = by.get(random.index(by.len())) else { continue };
            let Some(subject) = subjects.get(*index) else { continue };
            try_out(subject, Plan::At(*place, random.below(*loads)), random.number());
        }
    }
}

fn run_long(session: &mut Session, subjects: &[Subject], loads: &[u64]) {
    while let Some(mut random) = session.next_run() {
        let index = random.index(subjects.len());
        let (Some(subject), Some(loads)) = (subjects.get(index), loads.get(index)) else {
            return;
        };
        let plan = match random.below(3) {
            0 => Plan::Many(2 + random.below(*loads)),
            _ => Plan::One(random.below(*loads)),
        };
        try_out(subject, plan, random.number());
    }
}

fn try_out(subject: &Subject, plan: Plan, seed: u64) {
    say(&format!("{AT}{}, {plan:?}, changed by {seed}", subject.name));
    RUN.fetch_add(1, Ordering::Relaxed);
    faults::with(plan, seed, || subject.try_out());
}

/// Aborts the process if a run exceeds the time limit.
fn watch() {
    let mut seen = u64::MAX;
    loop {
        let now = RUN.load(Ordering::Relaxed);
        if now == seen {
            abort();
        }
        seen = now;
        thread::sleep(LIMIT);
    }
}

fn report() {
    say(&format!("{RUNS}{}", RUN.load(Ordering::Relaxed)));
    for ((file, line), counts) in faults::places() {
        say(&format!("{PLACE}{} {} {file}:{line}", counts.loads, counts.changed));
    }
}

/// Writes a line to the parent. Errors are ignored, since the parent may have exited.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
