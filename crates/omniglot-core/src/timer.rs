//! Foreign time: how much of it one outermost call has used, without callbacks in the host.

use core::time::Duration;

use crate::error::{Error, Result};

/// The time limit of a domain's calls, in ticks of its runtime's clock.
///
/// ```
/// use std::time::Duration;
///
/// use omniglot_core::Calls;
///
/// // A session gives a runtime the time of the calls in progress.
/// let calls = Calls::limited(Duration::from_millis(10), 1_000_000);
/// assert_eq!(calls.time.left_after(2_000)?, Some(8_000)); // 8 ms
/// assert_eq!(Calls::new().time.left_after(2_000)?, None); // no limit
/// # Ok::<(), omniglot_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Timer {
    limit: Option<Duration>,
    /// Whether there is a limit; each call checks this.
    limited: bool,
    /// The limit in ticks.
    ticks: u64,
    used: u64,
}

impl Timer {
    /// No limit.
    #[must_use]
    pub(crate) const fn new() -> Self {
        Self { limit: None, limited: false, ticks: 0, used: 0 }
    }

    /// Limits the call in progress, whose time so far counts if it had a limit already, and all
    /// later ones.
    pub(crate) fn set(&mut self, limit: Option<Duration>, ticks_per_second: u64) {
        if !self.limited {
            self.used = 0;
        }
        self.limit = limit;
        self.limited = limit.is_some();
        self.ticks = limit.map_or(0, |limit| ticks(limit, ticks_per_second));
    }

    /// A new outermost call has the full time limit.
    pub(crate) const fn begin(&mut self) {
        self.used = 0;
    }

    /// Whether there is a limit.
    #[inline(always)]
    #[must_use]
    pub const fn is_limited(&self) -> bool {
        self.limited
    }

    /// How many ticks are left if foreign code has run for `more` ticks that are not counted yet;
    /// `None` without a limit.
    ///
    /// # Errors
    /// [`Error::Timeout`] if none are left.
    pub fn left_after(&self, more: u64) -> Result<Option<u64>> {
        if !self.limited {
            return Ok(None);
        }
        match self.ticks.saturating_sub(self.used.saturating_add(more)) {
            0 => Err(self.expired()),
            left => Ok(Some(left)),
        }
    }

    /// Counts the ticks that foreign code ran: at least one, since many short stretches would
    /// otherwise take no time at all.
    pub fn add(&mut self, ticks: u64) {
        self.used = self.used.saturating_add(ticks.max(1));
    }

    /// The error of a call that has used all its time.
    #[must_use]
    pub fn expired(&self) -> Error {
        Error::Timeout { limit: self.limit.unwrap_or_default() }
    }
}

/// A duration in ticks, at least one, so that a call can make some progress.
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
        assert_eq!(timer.left_after(7), Ok(None));
        let limit = Duration::from_secs(1);
        timer.set(Some(limit), 100);
        timer.begin();
        assert_eq!(timer.left_after(0), Ok(Some(100)));
        timer.add(60);
        assert_eq!(timer.left_after(0), Ok(Some(40)));
        assert_eq!(timer.left_after(40), Err(Error::Timeout { limit }));
        timer.add(60);
        assert_eq!(timer.left_after(0), Err(Error::Timeout { limit }));
        timer.begin();
        assert_eq!(timer.left_after(0), Ok(Some(100)));
    }

    #[test]
    fn a_limit_counts_from_where_there_was_none() {
        let mut timer = Timer::new();
        timer.add(1000);
        timer.set(Some(Duration::from_secs(1)), 100);
        assert_eq!(timer.left_after(0), Ok(Some(100)));
        timer.add(30);
        timer.set(Some(Duration::from_secs(2)), 100);
        assert_eq!(timer.left_after(0), Ok(Some(170)));
    }
}
