//! How two sides that got on one processor get on two again.
//!
//! If the worker is woken on the processor of the host's thread, the kernel leaves both there: as
//! each sleeps while the other runs, that processor hardly ever has two threads to run at once,
//! although another one may be idle. A call then takes a hundred times as long as with two processors,
//! since each needs system calls and switches. So if the worker is asleep at several calls in quick
//! succession, or the host sleeps in each, the worker moves to another processor.
//!
//! That is wrong if all others are busy, so the worker moves less and less often as long as it is
//! not found awake afterwards. The host's thread never moves: its processors are the user's choice.

use std::time::{Duration, Instant};

/// Two calls are in quick succession if the second begins within this time. Sleeping and waking up
/// takes about a tenth of it, so longer calls lose little.
const QUICK: Duration = Duration::from_micros(250);
/// The number of calls in quick succession after which the worker moves, at first and at most.
const FIRST: u32 = 3;
const MOST: u32 = 1 << 16;
/// How much larger it gets with each move that did not help.
const FACTOR: u32 = 4;

/// What is known of a worker's processor.
#[derive(Debug)]
pub(super) struct Parting {
    /// When the last slow call began.
    before: Option<Instant>,
    /// How many began in quick succession.
    quick: u32,
    /// How often makes it move.
    patience: u32,
    /// Whether it may.
    may_move: bool,
}

impl Parting {
    pub(super) const fn new(may_move: bool) -> Self {
        Self { before: None, quick: 0, patience: FIRST, may_move }
    }

    /// A call found the worker awake, and the host did not sleep in the one before.
    #[inline]
    pub(super) const fn is_quick(&mut self) {
        if self.quick != 0 || self.patience != FIRST {
            *self = Self::new(self.may_move);
        }
    }

    /// A call found the worker asleep, or the host slept in the one before. Returns true if the worker
    /// should move, provided that it is on the same processor.
    pub(super) fn is_slow(&mut self, now: Instant) -> bool {
        let before = self.before.replace(now);
        if before.is_some_and(|before| now.saturating_duration_since(before) < QUICK) {
            self.quick = self.quick.saturating_add(1);
        }
        self.may_move && self.quick >= self.patience
    }

    /// The worker moved.
    pub(super) const fn moved(&mut self) {
        self.quick = 0;
        let longer = self.patience.saturating_mul(FACTOR);
        self.patience = if longer < MOST { longer } else { MOST };
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{FACTOR, FIRST, MOST, Parting, QUICK};

    /// The number of calls, each so long after the one before, until the worker should move.
    fn calls_until_move(parting: &mut Parting, now: &mut Instant, pause: Duration) -> Option<u32> {
        (1..=2 * MOST).find(|_| {
            *now += pause;
            parting.is_slow(*now)
        })
    }

    #[test]
    fn calls_in_quick_succession_make_the_worker_move() {
        let (mut parting, mut now) = (Parting::new(true), Instant::now());
        // The first call may come after any pause.
        assert_eq!(calls_until_move(&mut parting, &mut now, QUICK / 2), Some(FIRST + 1));
    }

    #[test]
    fn single_calls_never_do() {
        let (mut parting, mut now) = (Parting::new(true), Instant::now());
        assert_eq!(calls_until_move(&mut parting, &mut now, QUICK * 2), None);
    }

    #[test]
    fn who_may_not_move_never_does() {
        let (mut parting, mut now) = (Parting::new(false), Instant::now());
        assert_eq!(calls_until_move(&mut parting, &mut now, QUICK / 2), None);
    }

    #[test]
    fn the_worker_moves_the_later_the_less_it_helped() {
        let (mut parting, mut now) = (Parting::new(true), Instant::now());
        let mut waits = || {
            let calls = calls_until_move(&mut parting, &mut now, QUICK / 2);
            parting.moved();
            calls.unwrap_or_default()
        };
        let first = waits();
        let (second, third) = (waits(), waits());
        assert_eq!((first, second, third), (FIRST + 1, FIRST * FACTOR, FIRST * FACTOR * FACTOR));
        let later: Vec<u32> = (0..8).map(|_| waits()).collect();
        assert_eq!(later.last(), Some(&MOST));
    }

    #[test]
    fn who_finds_the_worker_awake_begins_anew() {
        for calls_between in [0, 1] {
            let (mut parting, mut now) = (Parting::new(true), Instant::now());
            calls_until_move(&mut parting, &mut now, QUICK / 2);
            parting.moved();
            for _ in 0..calls_between {
                now += QUICK / 2;
                assert!(!parting.is_slow(now));
            }
            parting.is_quick();
            assert_eq!(calls_until_move(&mut parting, &mut now, QUICK / 2), Some(FIRST + 1));
        }
    }
}
