//! One trial, in a process of its own.

use std::io::Write;
use std::process::{ExitCode, abort};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use omniglot::faults::{self, Plan};
use omniglot_fuzz::{Random, Session};

use crate::parent::{AT, PLACE, RUNS};
use crate::subjects::{self, Subject};

/// How many loads of a conformance case are changed one by one, at most; of more, some.
const MOST: u64 = 40;
/// How often many are changed at a time.
const TIMES: u64 = 4;
/// Whether a function needs its own thread pointer is read from its code. A wrong answer has it
/// write to the host's thread-local variables, which only a protection key keeps it from.
pub(crate) const SPARED: &[&str] = &["in_process/entries.rs"];
/// How long a run may take at most: it waits for nothing but calls, which end sooner.
const LIMIT: Duration = Duration::from_secs(240);

static RUN: AtomicU64 = AtomicU64::new(0);

/// Runs a trial's subjects; a panic or a crash ends the process, and the parent sees it.
pub(crate) fn run(trial: &str) -> ExitCode {
    thread::spawn(watch);
    let mut session = Session::new(trial, 0);
    let subjects = subjects::of(trial);
    let mut loads = Vec::new();
    for subject in &subjects {
        say(&format!("{AT}{}, unchanged", subject.name));
        if let Err(reason) = subject.check() {
            say(&format!("{AT}{}, unchanged: {reason}", subject.name));
            return ExitCode::FAILURE;
        }
        loads.push(faults::with(Plan::One(u64::MAX), 0, SPARED, || subject.try_out()).1);
    }
    if session.is_long() {
        run_long(&mut session, &subjects, &loads);
    } else {
        // Subjects that were written for this test are tried at every load.
        let is_ours = trial.ends_with("::values") || trial.ends_with("::starts");
        let most = if is_ours { u64::MAX } else { MOST };
        let mut random = Random::new(session.seed());
        for (subject, loads) in subjects.iter().zip(loads) {
            run_each(&mut random, subject, loads, most);
        }
    }
    report();
    ExitCode::SUCCESS
}

/// Changes every load by itself, then many at a time.
fn run_each(random: &mut Random, subject: &Subject, loads: u64, most: u64) {
    let step = loads.div_ceil(most).max(1);
    for first in (0..loads).step_by(step as usize) {
        try_out(subject, Plan::One(first + random.below(step)), random.number());
    }
    for _ in 0..TIMES {
        try_out(subject, Plan::Many(2 + random.below(loads)), random.number());
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
    faults::with(plan, seed, SPARED, || subject.try_out());
}

/// Ends a process that hangs.
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

/// Writes a line to the parent, which may have ended.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
