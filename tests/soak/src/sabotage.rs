//! Workers are killed, stopped and continued while hosts use them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use fastrand::Rng;
use omniglot::Builder;
use omniglot_conformance::conformance::Conformance;
use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};

use crate::census::{Census, children_of};
use crate::judge::Tally;
use crate::work::{self, Job};

const INSTANCES: u64 = 24;
/// The time between two acts of sabotage, in milliseconds. It suffices for a start.
const PAUSE: std::ops::Range<u64> = 1..40;
/// The limit on the foreign time of a call. Only a stopped worker or a busy machine takes longer;
/// then the timeout is an accepted error.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The limit on loading, for the same reason.
const START_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest time that an operation may take. A reset may wait for a stopped spare, and then
/// start a worker that is stopped too. A busy machine may need as much again.
const LONGEST: Duration =
    Duration::from_secs(2 * (TIMEOUT.as_secs() + 3 * START_TIMEOUT.as_secs()) + 60);

/// Builds an instance that does not wait long for a stopped worker.
fn builder() -> Builder<Conformance> {
    work::builder().timeout(TIMEOUT).start_timeout(START_TIMEOUT)
}

/// Uses 24 instances for some time, sabotages their workers meanwhile, and checks that all recover.
pub(crate) fn run(seed: u64, time: Duration) -> Result<()> {
    drop(builder().spares(1).build()?);
    let before = Census::settled()?;
    let over = AtomicBool::new(false);
    let total = Mutex::new(Tally::default());
    let add = |part: Result<Tally>| -> Result<()> {
        total.lock().map_err(|_| anyhow!("a lock is poisoned"))?.add(&part?);
        Ok(())
    };
    thread::scope(|scope| {
        let users = (0..INSTANCES).map(|number| {
            let (over, add) = (&over, &add);
            scope.spawn(move || add(use_one(Rng::with_seed(seed ^ number << 32), over)))
        });
        let users: Vec<_> = users.collect();
        let sabotaged = add(sabotage(Rng::with_seed(seed), time));
        over.store(true, Ordering::SeqCst);
        let continued = continue_all();
        let used = users.into_iter().map(|user| match user.join() {
            Ok(used) => used,
            Err(_) => Err(anyhow!("a host's thread panicked")),
        });
        used.collect::<Vec<_>>()
            .into_iter()
            .chain([sabotaged, continued])
            .collect::<Result<Vec<()>>>()
    })?;
    // A spare that is being made may remain for a moment.
    before.wait_for_return()?;
    let total = total.into_inner().map_err(|_| anyhow!("a lock is poisoned"))?;
    println!("sabotage: {INSTANCES} instances, {time:?}; {total}; seed {seed}");
    for what in ["worked", "killed", "stopped", "continued", "recovered", "reset", "built"] {
        ensure!(total.of(what) > 0, "never {what}");
    }
    Ok(())
}

/// Uses an instance, and its replacements, until time is over. The last one must work.
fn use_one(mut random: Rng, over: &AtomicBool) -> Result<Tally> {
    let mut user = User::default();
    while !over.load(Ordering::SeqCst) {
        user.step(&mut random)?;
    }
    user.recover()?;
    Ok(user.tally)
}

/// The user of an instance, if there is one.
#[derive(Default)]
struct User {
    instance: Option<Conformance>,
    tally: Tally,
}

impl User {
    fn step(&mut self, random: &mut Rng) -> Result<()> {
        let spares = random.usize(..2);
        let job = Job::any(random);
        let choice = random.u8(..40);
        let begin = Instant::now();
        let (what, outcome) = match &mut self.instance {
            None => {
                ("built", builder().spares(spares).build().map(|new| self.instance = Some(new)))
            }
            Some(_) if choice == 0 => {
                self.instance = None;
                ("dropped", Ok(()))
            }
            Some(library) if choice < 4 || library.poisoned().is_some() => {
                ("reset", library.reset())
            }
            Some(library) => ("worked", job.on(library)),
        };
        let taken = begin.elapsed();
        self.tally.time(taken);
        ensure!(taken < LONGEST, "{what} ({job:?}) took {taken:?}");
        match outcome {
            Ok(()) => self.tally.count(what),
            Err(error) => self.tally.error(&error).with_context(|| format!("{what} {job:?}"))?,
        }
        if what == "reset" && outcome.is_err() {
            self.instance = None;
        }
        Ok(())
    }

    /// Checks that the instance recovers after the sabotage. Spares that were hit before may still
    /// cause one error each.
    fn recover(&mut self) -> Result<()> {
        let mut library = match self.instance.take() {
            Some(library) => library,
            None => builder().build()?,
        };
        for _ in 0..=2 * INSTANCES {
            let begin = Instant::now();
            let recovered = library.reset().and_then(|()| Job::Callback.on(&mut library));
            self.tally.time(begin.elapsed());
            match recovered {
                Ok(()) => {
                    self.tally.count("recovered");
                    return Ok(());
                }
                Err(error) => self.tally.error(&error)?,
            }
        }
        Err(anyhow!("an instance does not recover"))
    }
}

/// Sends signals to random workers, including loading ones and spares.
fn sabotage(mut random: Rng, time: Duration) -> Result<Tally> {
    let begin = Instant::now();
    let mut tally = Tally::default();
    while begin.elapsed() < time {
        thread::sleep(Duration::from_millis(random.u64(PAUSE)));
        let workers = children_of("self")?;
        let Some(worker) = random.choice(&workers) else { continue };
        let (what, signal) = match random.u8(..8) {
            0..4 => ("killed", Signal::KILL),
            4..6 => ("stopped", Signal::STOP),
            _ => ("continued", Signal::CONT),
        };
        if send(*worker, signal)? {
            tally.count(what);
        }
    }
    Ok(tally)
}

/// Continues every worker that was stopped.
fn continue_all() -> Result<()> {
    for worker in children_of("self")? {
        send(worker, Signal::CONT)?;
    }
    Ok(())
}

/// Sends a signal to a child. Its process id may have been reused, so this first checks through its
/// descriptor that it is still a child.
fn send(child: Pid, signal: Signal) -> Result<bool> {
    let Ok(descriptor) = pidfd_open(child, PidfdFlags::empty()) else {
        return Ok(false);
    };
    let is_ours = children_of("self")?.contains(&child) && child != getpid();
    Ok(is_ours && pidfd_send_signal(&descriptor, signal).is_ok())
}
