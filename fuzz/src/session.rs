//! Sessions: how many runs there are, and the report.

use std::env;
use std::str::FromStr;
use std::time::{Duration, Instant};

use crate::Random;

/// The seed that determines all random numbers of a session.
const SEED: &str = "OMNIGLOT_FUZZ_SEED";
/// The duration of a session in minutes, instead of a number of runs.
const MINUTES: &str = "OMNIGLOT_FUZZ_MINUTES";
/// The number of runs of a session, instead of the suite's.
const RUNS: &str = "OMNIGLOT_FUZZ_RUNS";
/// The number of the only run to make.
const RUN: &str = "OMNIGLOT_FUZZ_RUN";
/// Which of several processes this is, from 0 on, and of how many, as in `1/2`. Each makes every
/// so many-th run, so that together they make the same runs as one.
const SHARE: &str = "OMNIGLOT_FUZZ_SHARE";

/// The runs of one target.
#[derive(Debug)]
pub struct Session {
    name: String,
    seed: u64,
    next: u64,
    /// The distance to the following run.
    step: u64,
    /// The number of runs so far.
    made: u64,
    end: End,
    is_long: bool,
    began: Instant,
    /// When the session last printed how far it is.
    told: Instant,
    /// True while a run has begun and not ended.
    running: bool,
}

#[derive(Clone, Copy, Debug)]
enum End {
    /// Ends before the run with this number.
    Run(u64),
    /// Ends after this time.
    After(Duration),
}

impl Session {
    /// Makes a session of `runs` runs, unless the environment specifies otherwise.
    ///
    /// # Panics
    /// If an environment variable is not a number.
    #[must_use]
    pub fn new(name: &str, runs: u64) -> Self {
        let seed = variable(SEED).unwrap_or(1);
        let minutes: Option<f64> = variable(MINUTES);
        let wanted: Option<u64> = variable(RUNS);
        let (first, step) = share();
        let (next, end) = match (variable(RUN), minutes) {
            (Some(run), _) => (run, End::Run(run + 1)),
            (None, Some(minutes)) => (first, End::After(Duration::from_secs_f64(minutes * 60.0))),
            (None, None) => (first, End::Run(wanted.unwrap_or(runs))),
        };
        let is_long = matches!(end, End::After(_)) || wanted.is_some();
        let began = Instant::now();
        let (name, told) = (name.to_owned(), began);
        Self { name, seed, next, step, made: 0, end, is_long, began, told, running: false }
    }

    /// Returns the seed.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns the number of the run that [`Self::next_run`] began last, from 0 on.
    #[must_use]
    pub const fn last_run(&self) -> u64 {
        self.next.saturating_sub(self.step)
    }

    /// Returns true if the environment sets a duration or a number of runs.
    #[must_use]
    pub const fn is_long(&self) -> bool {
        self.is_long
    }

    /// Returns the random numbers of the next run, or `None` if the session is over.
    pub fn next_run(&mut self) -> Option<Random> {
        self.running = false;
        let goes_on = match self.end {
            End::Run(end) => self.next < end,
            End::After(limit) => self.began.elapsed() < limit,
        };
        if !goes_on {
            return None;
        }
        self.tell();
        let mut seeds = Random::new(self.seed ^ self.next.wrapping_mul(0xd6e8_feb8_6659_fd93));
        self.next += self.step;
        self.made += 1;
        self.running = true;
        Some(Random::new(seeds.number()))
    }

    /// Prints once a minute how far a long session is.
    fn tell(&mut self) {
        if !self.is_long || self.told.elapsed() < Duration::from_secs(60) {
            return;
        }
        self.told = Instant::now();
        let Self { name, next, .. } = self;
        let of = match self.end {
            End::Run(end) => format!(" of {end}"),
            End::After(_) => String::new(),
        };
        eprintln!("{name}: {next}{of} runs after {} s", self.began.elapsed().as_secs());
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let run = self.last_run();
        let Self { name, seed, made, .. } = self;
        if self.running {
            println!("{name}: run {run} fails; again: {SEED}={seed} {RUN}={run}");
        } else {
            let seconds = self.began.elapsed().as_secs_f64();
            println!("{name}: {made} runs in {seconds:.1} s, seed {seed}");
        }
    }
}

/// Returns the number of this process's first run, and the distance to the following ones.
#[expect(clippy::panic, reason = "a test that is told nonsense ends")]
fn share() -> (u64, u64) {
    let Some(share) = variable::<String>(SHARE) else { return (0, 1) };
    let numbers =
        share.split_once('/').and_then(|(which, of)| Some((which.parse().ok()?, of.parse().ok()?)));
    match numbers {
        Some((which, of)) if which < of => (which, of),
        _ => panic!("{SHARE} is {share:?}, and not a number, a slash and a larger number"),
    }
}

#[expect(clippy::panic, reason = "a test that is told nonsense ends")]
fn variable<T: FromStr>(name: &str) -> Option<T> {
    let value = env::var(name).ok()?;
    match value.parse() {
        Ok(number) => Some(number),
        Err(_) => panic!("{name} is {value:?}, which is not a number"),
    }
}

/// Runs `target` `runs` times, or as the environment specifies: `OMNIGLOT_FUZZ_SEED`, and
/// `OMNIGLOT_FUZZ_MINUTES`, `OMNIGLOT_FUZZ_RUNS` or `OMNIGLOT_FUZZ_RUN`.
///
/// # Panics
/// If a run panics, after printing its number; or if an environment variable is not a number.
pub fn fuzz(name: &str, runs: u64, mut target: impl FnMut(&mut Random)) {
    let mut session = Session::new(name, runs);
    while let Some(mut random) = session.next_run() {
        target(&mut random);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(next: u64, end: u64) -> Session {
        let (name, began, end) = ("test".to_owned(), Instant::now(), End::Run(end));
        let (seed, step) = (3, 1);
        Session {
            name,
            seed,
            next,
            step,
            made: 0,
            end,
            is_long: false,
            began,
            told: began,
            running: false,
        }
    }

    #[test]
    fn a_run_can_be_repeated_by_itself() {
        let mut all = session(0, 10);
        let numbers: Vec<u64> =
            std::iter::from_fn(|| all.next_run()).map(|mut random| random.number()).collect();
        assert_eq!(numbers.len(), 10);
        for (run, number) in numbers.iter().enumerate() {
            let mut alone = session(run as u64, run as u64 + 1);
            assert_eq!(alone.next_run().map(|mut random| random.number()), Some(*number));
            assert!(alone.next_run().is_none());
        }
    }

    #[test]
    fn shares_make_all_runs_together() {
        let numbers = |next, step| {
            let mut share = session(next, 10);
            share.step = step;
            let numbers =
                std::iter::from_fn(|| share.next_run().map(|random| (share.last_run(), random)));
            numbers.map(|(run, mut random)| (run, random.number())).collect::<Vec<_>>()
        };
        let mut shares: Vec<_> = (0..3).flat_map(|which| numbers(which, 3)).collect();
        shares.sort_unstable();
        assert_eq!(shares, numbers(0, 1));
    }
}
