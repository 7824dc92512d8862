//! The clock of this runtime's time limits: nanoseconds.

use std::time::{Duration, Instant};

use omniglot_core::{Result, Timer};

pub(super) const TICKS_PER_SECOND: u64 = 1_000_000_000;

/// The remaining time of a call if foreign code has run since then, or starts now; `None` for no
/// limit.
///
/// # Errors
/// [`Error::Timeout`](omniglot_core::Error::Timeout) if no time is left.
pub(super) fn left(time: &Timer, since: Option<Instant>) -> Result<Option<Duration>> {
    let left = time.left_after(since.map_or(0, ticks_since))?;
    Ok(left.map(Duration::from_nanos))
}

/// Counts the time that foreign code ran since then.
pub(super) fn add(time: &mut Timer, since: Instant) {
    time.add(ticks_since(since));
}

fn ticks_since(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
