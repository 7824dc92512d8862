//! What the server in its domain tells the library about the world (`worker/server`).

use rustix::time::{ClockId, clock_gettime};

use crate::options::Options;

/// The resolution of the time, in nanoseconds, for a library without permission to read the clock.
const RESOLUTION: u64 = 1_000_000;

/// The time, as nanoseconds since 1970, to the millisecond.
///
/// The kernel's coarse clock: it is read in a few nanoseconds, and moves with its ticks, of which
/// there are 100 to 1000 a second.
#[inline]
pub(super) fn time(options: &Options) -> u64 {
    if let Some(fixed) = options.clock {
        return u64::try_from(fixed.as_nanos()).unwrap_or(u64::MAX / 2);
    }
    now()
}

/// The same where the time does not stand. It may be asked for in a signal handler.
#[inline]
pub(super) fn now() -> u64 {
    let now = clock_gettime(ClockId::RealtimeCoarse);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(now.tv_nsec).unwrap_or(0);
    let time = seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds);
    time - time % RESOLUTION
}
