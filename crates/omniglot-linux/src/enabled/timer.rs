//! Foreign time: what one outermost call has used, callbacks in the host left out.

use std::time::{Duration, Instant};

use omniglot_core::{Error, Result};

/// The limit and what was used of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timer {
    limit: Option<Duration>,
    used: Duration,
}

impl Timer {
    pub(super) const fn new(limit: Option<Duration>) -> Self {
        Self { limit, used: Duration::ZERO }
    }

    pub(super) const fn is_limited(&self) -> bool {
        self.limit.is_some()
    }

    pub(super) const fn limit(&self) -> Option<Duration> {
        self.limit
    }

    pub(super) const fn set_limit(&mut self, limit: Option<Duration>) {
        self.limit = limit;
    }

    /// A new outermost call begins.
    pub(super) const fn reset(&mut self) {
        self.used = Duration::ZERO;
    }

    /// Foreign code ran since then.
    pub(super) fn add(&mut self, since: Instant) {
        self.used = self.used.saturating_add(since.elapsed());
    }

    /// What is left if foreign code runs since then; `None` for ever.
    pub(super) fn left(&self, since: Instant) -> Result<Option<Duration>> {
        self.left_after(self.used.saturating_add(since.elapsed()))
    }

    /// What is left if foreign code begins to run now, without a look at the clock.
    pub(super) fn left_at_start(&self) -> Result<Option<Duration>> {
        self.left_after(self.used)
    }

    fn left_after(&self, used: Duration) -> Result<Option<Duration>> {
        let Some(limit) = self.limit else {
            return Ok(None);
        };
        match limit.checked_sub(used) {
            Some(left) if !left.is_zero() => Ok(Some(left)),
            _ => Err(Error::Timeout { limit }),
        }
    }
}
