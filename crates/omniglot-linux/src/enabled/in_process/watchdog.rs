//! The thread that ends foreign code whose time is over.
//!
//! A call with a time limit announces when its stretch in foreign code must end, with one
//! store. The watchdog looks at all announcements from time to time; while there is none
//! for a while, it sleeps until somebody makes one.

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use omniglot_core::{Error, Result};

use super::context::GateContext;
use super::kick::{barrier, kick};
use crate::enabled::generation::PerProcess;

/// The shortest and the longest sleep of the watchdog between two checks.
const SHORTEST: Duration = Duration::from_micros(100);
const LONGEST: Duration = Duration::from_millis(2);
/// After that many checks without an announcement it sleeps until there is one.
const IDLE_LOOKS: u32 = 50;

/// A process's watchdog. A forked child gets one of its own: in the copy of its parent's, the
/// thread may hold the lock.
#[derive(Debug)]
struct Watchdog {
    epoch: Instant,
    list: Mutex<WatchList>,
    changed: Condvar,
    asleep: AtomicBool,
}

#[derive(Debug, Default)]
struct WatchList {
    /// Whether the thread is running.
    is_awake: bool,
    watched: Vec<Weak<GateContext>>,
}

/// The clock by which limited calls announce times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    dog: &'static Watchdog,
}

/// The process's clock. A forked child gets one of its own.
static WATCHDOG: PerProcess<Watchdog> = PerProcess::new();

impl Default for Watchdog {
    fn default() -> Self {
        Self {
            epoch: Instant::now(),
            list: Mutex::default(),
            changed: Condvar::new(),
            asleep: AtomicBool::new(false),
        }
    }
}

impl Watchdog {
    fn list(&self) -> MutexGuard<'_, WatchList> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same on the way of a call.
    ///
    /// # Errors
    /// [`Error::Forked`] in a child that a handler forked on that way: the thread that has the list
    /// may be its parent's.
    fn list_in_call(&self) -> Result<MutexGuard<'_, WatchList>> {
        loop {
            match self.list.try_lock() {
                Ok(list) => return Ok(list),
                Err(TryLockError::Poisoned(list)) => return Ok(list.into_inner()),
                Err(TryLockError::WouldBlock) if !WATCHDOG.is(self) => return Err(Error::Forked),
                Err(TryLockError::WouldBlock) => thread::yield_now(),
            }
        }
    }
}

impl Clock {
    /// Has the watchdog look at a context from now on.
    pub(super) fn watch(context: &Arc<GateContext>) -> Result<Self> {
        let dog = WATCHDOG.get()?;
        let mut list = dog.list_in_call()?;
        if !list.is_awake {
            thread::Builder::new()
                .name("omniglot-watchdog".to_owned())
                .spawn(move || dog.run())
                .map_err(|error| Error::System {
                    operation: "starting the watchdog",
                    errno: error.raw_os_error().unwrap_or(0),
                })?;
            list.is_awake = true;
        }
        list.watched.retain(|watched| watched.strong_count() > 0);
        list.watched.push(Arc::downgrade(context));
        Ok(Self { dog })
    }

    /// Announces that foreign code must have left within that time.
    #[inline]
    pub(super) fn announce(self, context: &GateContext, now: Instant, left: Duration) {
        let end = now.saturating_duration_since(self.dog.epoch).saturating_add(left);
        // Never 0, which means none; 584 years are as good as no limit.
        let end = u64::try_from(end.as_nanos()).unwrap_or(u64::MAX).max(1);
        context.deadline.store(end, Ordering::Release);
        fence(Ordering::SeqCst);
        if self.dog.asleep.load(Ordering::Relaxed) {
            self.dog.wake();
        }
    }
}

/// Withdraws an announcement.
#[inline]
pub(super) fn withdraw(context: &GateContext) {
    context.deadline.store(0, Ordering::Release);
}

impl Watchdog {
    #[cold]
    fn wake(&self) {
        let _list = self.list_in_call();
        self.changed.notify_all();
    }

    fn run(&self) {
        let mut idle = 0;
        loop {
            let next = self.look();
            idle = if next.is_some() { 0 } else { idle + 1 };
            if idle < IDLE_LOOKS {
                thread::sleep(next.unwrap_or(LONGEST).clamp(SHORTEST, LONGEST));
            } else {
                self.sleep();
                idle = 0;
            }
        }
    }

    /// Sleeps until there is an announcement: `asleep` is set before the last check, and a thread
    /// that announces reads it afterwards.
    fn sleep(&self) {
        let mut list = self.list();
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        while !list.watched.iter().any(is_announced) {
            list = self.changed.wait(list).unwrap_or_else(PoisonError::into_inner);
        }
        self.asleep.store(false, Ordering::Relaxed);
    }

    /// Stops calls that are late, and returns the time until the next one will be.
    fn look(&self) -> Option<Duration> {
        let now = u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let list = self.list();
        let left = list.watched.iter().filter_map(Weak::upgrade).filter_map(|context| {
            // While the number stays the same, so does the call that announced.
            let number = context.number.load(Ordering::Acquire);
            let deadline = context.deadline.load(Ordering::Acquire);
            if deadline == 0 || context.number.load(Ordering::Acquire) != number {
                return None;
            }
            if deadline <= now {
                stop(&context, number, true);
            }
            Some(Duration::from_nanos(deadline.saturating_sub(now)))
        });
        left.min()
    }
}

fn is_announced(watched: &Weak<GateContext>) -> bool {
    watched.upgrade().is_some_and(|context| context.deadline.load(Ordering::Acquire) != 0)
}

/// Makes a call stop, permanently: a later call has another number.
pub(super) fn stop(context: &GateContext, number: u64, is_late: bool) {
    context.stop.fetch_max(number << 1 | u64::from(is_late), Ordering::AcqRel);
    let mut thread = context.thread_id.load(Ordering::Acquire);
    // A thread that enters stores its number, and then checks whether it must stop. That order
    // needs a barrier. The watchdog needs none, since it checks again.
    if thread == 0 && !is_late {
        barrier();
        thread = context.thread_id.load(Ordering::Acquire);
    }
    if thread != 0 {
        kick(thread);
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use crate::enabled::generation::tests::in_child;

    #[test]
    fn the_parents_watchdog_is_waited_for_by_no_child() {
        let dog = WATCHDOG.get().expect("a watchdog");
        assert!(in_child(|| {
            // As if a handler had forked here while that thread looked.
            let _held = dog.list();
            dog.wake();
            dog.list_in_call().is_err()
        }));
    }
}
