//! How long foreign code may still run.

use core::time::Duration;

use omniglot_core::{Error, Result};

/// The time limit of the calls of a domain, in the kernel's ticks.
#[derive(Debug)]
pub(crate) struct Timer {
    limit: Option<Duration>,
    /// Whether there is one, which each call asks.
    limited: bool,
    ticks: u64,
    left: u64,
}

impl Timer {
    /// No limit.
    pub(crate) const fn new() -> Self {
        Self { limit: None, limited: false, ticks: 0, left: 0 }
    }

    /// Limits calls from the next outermost one on; a limit that is lifted is lifted now.
    pub(crate) fn set(&mut self, limit: Option<Duration>, ticks_per_second: u64) {
        self.limit = limit;
        self.limited = limit.is_some();
        self.ticks = limit.map_or(0, |limit| ticks(limit, ticks_per_second));
        self.left = self.ticks;
    }

    /// A new outermost call has all the time.
    pub(crate) fn begin(&mut self) {
        self.left = self.ticks;
    }

    #[inline(always)]
    pub(crate) const fn is_limited(&self) -> bool {
        self.limited
    }

    /// When foreign code that starts now has used its time up.
    ///
    /// # Errors
    /// [`Error::Timeout`] if it has already.
    pub(crate) fn deadline(&self, now: u64) -> Result<u64> {
        if self.left == 0 { Err(self.expired()) } else { Ok(now.saturating_add(self.left)) }
    }

    /// Subtracts the time that foreign code ran: at least a tick, or many short stretches would
    /// count as no time at all.
    pub(crate) fn used(&mut self, ticks: u64) {
        self.left = self.left.saturating_sub(ticks.max(1));
    }

    fn expired(&self) -> Error {
        Error::Timeout { limit: self.limit.unwrap_or_default() }
    }
}

/// A duration in ticks, one at least, so that a call can make some progress.
fn ticks(limit: Duration, per_second: u64) -> u64 {
    let whole = limit.as_secs().saturating_mul(per_second);
    let part = u64::from(limit.subsec_nanos()).saturating_mul(per_second) / 1_000_000_000;
    whole.saturating_add(part).max(1)
}

#[cfg(test)]
mod tests {
    use super::{Duration, Error, Timer, ticks};

    #[test]
    fn durations_become_ticks() {
        assert_eq!(ticks(Duration::from_millis(20), 10_000_000), 200_000);
        assert_eq!(ticks(Duration::from_nanos(1), 32_768), 1);
        assert_eq!(ticks(Duration::MAX, 10_000_000), u64::MAX);
    }

    #[test]
    fn time_is_used_up_over_several_stretches() {
        let mut timer = Timer::new();
        let limit = Duration::from_secs(1);
        timer.set(Some(limit), 100);
        timer.begin();
        assert_eq!(timer.deadline(7), Ok(107));
        timer.used(60);
        assert_eq!(timer.deadline(1000), Ok(1040));
        timer.used(60);
        assert_eq!(timer.deadline(2000), Err(Error::Timeout { limit }));
        timer.begin();
        assert_eq!(timer.deadline(0), Ok(100));
    }
}
