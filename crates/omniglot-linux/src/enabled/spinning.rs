//! How long a side of the call channel spins for the other one before it sleeps. The worker does
//! the same (`worker/loader/spinning.h`).
//!
//! A side that is awake on another processor answers within a microsecond, so spinning for the
//! shortest time finds it. Spinning for longer is worth it only if the other side is on its way:
//! if it was woken and will run soon, or if it works for some microseconds. If it cannot run,
//! because both sides are on one processor or all processors are busy, each moment of spinning
//! delays it. So the time grows when spinning succeeds and shrinks when it fails.
//!
//! Two sides that have slept would wake each other with system calls for ever, since each would
//! stop spinning before the other has woken up. So now and then a side spins for the longest time
//! (a *probe*), and the less often, the more probes in a row failed.

use std::hint::spin_loop;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::processors;
use super::system::known_or;

/// The longest time to spin. In a virtual machine waking the other side takes 20 to 40 µs, and the
/// same to be woken. So this finds the answer of a call of some ten microseconds whose worker had to
/// be woken first.
const MOST: Duration = Duration::from_micros(100);
/// The shortest time to spin.
const LEAST: Duration = Duration::from_micros(1);
/// The number of waits from one probe to the next, at first and at most.
const PROBES: [u32; 2] = [32, 1024];

/// The most and the fewest checks in one wait. Processors pause between 10 and 140 cycles in a
/// check, so the numbers differ from machine to machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spins {
    pub(super) most: u32,
    pub(super) least: u32,
}

impl Spins {
    /// None, for one processor: spinning helps only if the other side can run at the same time.
    const NONE: Self = Self { most: 0, least: 0 };

    /// Those of this machine.
    pub(super) fn of_this_machine() -> Self {
        static KNOWN: OnceLock<Spins> = OnceLock::new();
        match processors::of_process() {
            Ok(processors) if processors.count() <= 1 => Self::NONE,
            _ => known_or(&KNOWN, Self::measure),
        }
    }

    /// Measures the time of a check. The thread may lose its processor meanwhile, so the shortest
    /// of several times is taken.
    fn measure() -> Self {
        const CHECKS: u32 = 64;
        let time = || {
            let begin = Instant::now();
            (0..CHECKS).for_each(|_| spin_loop());
            begin.elapsed()
        };
        let shortest = (0..8).map(|_| time()).min().unwrap_or(MOST);
        let in_time = |time: Duration| {
            let checks = time.as_nanos() * u128::from(CHECKS) / shortest.as_nanos().max(1);
            u32::try_from(checks.clamp(1, 100_000)).unwrap_or(1)
        };
        Self { most: in_time(MOST), least: in_time(LEAST) }
    }
}

/// What a side has learned about waiting.
#[derive(Debug)]
pub(super) struct Spinning {
    spins: Spins,
    now: u32,
    /// The number of waits until the next probe.
    until_probe: u32,
    /// The number of waits from that one to the next.
    between_probes: u32,
}

impl Spinning {
    pub(super) const fn new(spins: Spins) -> Self {
        let [between_probes, _] = PROBES;
        Self { spins, now: spins.most, until_probe: between_probes, between_probes }
    }

    /// The number of checks in the next wait.
    #[inline]
    pub(super) const fn limit(&mut self) -> u32 {
        self.until_probe = self.until_probe.saturating_sub(1);
        if self.until_probe == 0 { self.spins.most } else { self.now }
    }

    /// The answer came within the wait.
    #[inline]
    pub(super) fn succeeded(&mut self, limit: u32) {
        self.now = self.spins.most.min(limit + limit / 2 + 1);
        if self.until_probe == 0 {
            let [first, _] = PROBES;
            self.between_probes = first;
            self.until_probe = first;
        }
    }

    /// It did not.
    #[inline]
    pub(super) fn failed(&mut self) {
        self.now = self.spins.least.max(self.now / 2);
        if self.until_probe == 0 {
            let [_, most] = PROBES;
            self.between_probes = most.min(self.between_probes * 2);
            self.until_probe = self.between_probes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PROBES, Spinning, Spins};

    const SPINS: Spins = Spins { most: 1000, least: 20 };

    /// Makes that many waits, all failing; returns the numbers of checks.
    fn fail(spinning: &mut Spinning, waits: usize) -> Vec<u32> {
        let fail = |_| {
            let limit = spinning.limit();
            spinning.failed();
            limit
        };
        (0..waits).map(fail).collect()
    }

    #[test]
    fn who_waits_in_vain_spins_for_the_shortest_time_but_for_rare_probes() {
        let mut spinning = Spinning::new(SPINS);
        let limits = fail(&mut spinning, 10_000);
        assert_eq!(&limits[..7], [1000, 500, 250, 125, 62, 31, 20]);
        let probes: Vec<usize> = (7..10_000).filter(|wait| limits[*wait] == SPINS.most).collect();
        let between: Vec<usize> = probes.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(&between[..6], [64, 128, 256, 512, 1024, 1024]);
        let others = (7..10_000).filter(|wait| limits[*wait] == SPINS.least).count();
        assert_eq!(others + probes.len(), 9_993);
    }

    #[test]
    fn a_probe_that_succeeds_is_the_start_of_spinning_again() {
        let mut spinning = Spinning::new(SPINS);
        let [first, _] = PROBES;
        let waits = fail(&mut spinning, 2_000).len();
        assert_eq!(waits, 2_000);
        while spinning.limit() != SPINS.most {
            spinning.failed();
        }
        spinning.succeeded(SPINS.most);
        assert_eq!(spinning.limit(), SPINS.most);
        let limits = fail(&mut spinning, first as usize);
        // The first, and the next probe.
        assert_eq!(limits.iter().filter(|limit| **limit == SPINS.most).count(), 2);
    }

    #[test]
    fn success_makes_the_time_longer_up_to_the_longest() {
        let mut spinning = Spinning::new(SPINS);
        fail(&mut spinning, 20);
        let mut last = spinning.limit();
        assert_eq!(last, SPINS.least);
        for _ in 0..10 {
            spinning.succeeded(last);
            let next = spinning.limit();
            assert!(next > last || next == SPINS.most, "{last} {next}");
            last = next;
        }
        assert_eq!(last, 1000);
    }

    #[test]
    fn one_processor_never_spins() {
        let mut spinning = Spinning::new(Spins::NONE);
        assert!(fail(&mut spinning, 100).iter().all(|limit| *limit == 0));
    }

    #[test]
    fn a_machine_has_more_checks_in_the_longest_time_than_in_the_shortest() {
        let spins = Spins::measure();
        assert!(spins.least > 0 && spins.most > spins.least, "{spins:?}");
    }
}
