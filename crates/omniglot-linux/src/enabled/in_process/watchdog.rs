//! The thread that ends foreign code whose time is over.
//!
//! A call with a time limit announces when its stretch in foreign code must end, with one
//! store. The watchdog looks at all announcements from time to time; while there is none
//! for a while, it sleeps until somebody makes one.

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use omniglot_core::{Error, Result};

use super::gate::Crossing;
use super::signals::kick;

/// How long the watchdog sleeps at least and at most between two looks.
const SHORTEST: Duration = Duration::from_micros(100);
const LONGEST: Duration = Duration::from_millis(2);
/// After so many looks without an announcement it sleeps until there is one.
const IDLE_LOOKS: u32 = 50;

struct Watchdog {
    /// The generation of processes that has the thread.
    generation: u64,
    started: Option<Instant>,
    watched: Vec<Weak<Crossing>>,
}

static WATCHDOG: Mutex<Watchdog> =
    Mutex::new(Watchdog { generation: 0, started: None, watched: Vec::new() });
static BARKING: Condvar = Condvar::new();
static ASLEEP: AtomicBool = AtomicBool::new(false);

/// What a limited call announces times with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    epoch: Instant,
}

fn watchdog() -> std::sync::MutexGuard<'static, Watchdog> {
    WATCHDOG.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Clock {
    /// Has the watchdog look at a crossing from now on.
    pub(super) fn watch(crossing: &Arc<Crossing>, generation: u64) -> Result<Self> {
        let mut dog = watchdog();
        let epoch = *dog.started.get_or_insert_with(Instant::now);
        if dog.generation != generation {
            // A forked child has none of its parent's threads and instances.
            dog.watched.clear();
            thread::Builder::new()
                .name("omniglot-watchdog".to_owned())
                .spawn(move || run(epoch))
                .map_err(|error| Error::System {
                operation: "starting the watchdog",
                errno: error.raw_os_error().unwrap_or(0),
            })?;
            dog.generation = generation;
        }
        dog.watched.retain(|watched| watched.strong_count() > 0);
        dog.watched.push(Arc::downgrade(crossing));
        Ok(Self { epoch })
    }

    /// Announces that foreign code must have left in that time.
    #[inline]
    pub(super) fn announce(self, crossing: &Crossing, now: Instant, left: Duration) {
        let end = now.saturating_duration_since(self.epoch).saturating_add(left);
        // Never 0, which means none; 584 years are as good as no limit.
        let end = u64::try_from(end.as_nanos()).unwrap_or(u64::MAX).max(1);
        crossing.deadline.store(end, Ordering::Release);
        fence(Ordering::SeqCst);
        if ASLEEP.load(Ordering::Relaxed) {
            wake();
        }
    }
}

/// Withdraws an announcement.
#[inline]
pub(super) fn withdraw(crossing: &Crossing) {
    crossing.deadline.store(0, Ordering::Release);
}

#[cold]
fn wake() {
    let _dog = watchdog();
    BARKING.notify_all();
}

fn run(epoch: Instant) {
    let mut idle = 0;
    loop {
        let next = look(epoch);
        idle = if next.is_some() { 0 } else { idle + 1 };
        if idle < IDLE_LOOKS {
            thread::sleep(next.unwrap_or(LONGEST).clamp(SHORTEST, LONGEST));
        } else {
            sleep();
            idle = 0;
        }
    }
}

/// Sleeps until there is an announcement: `ASLEEP` is set before the last look, and who
/// announces looks at it afterwards.
fn sleep() {
    let mut dog = watchdog();
    ASLEEP.store(true, Ordering::Relaxed);
    fence(Ordering::SeqCst);
    while !dog.watched.iter().any(is_announced) {
        dog = BARKING.wait(dog).unwrap_or_else(PoisonError::into_inner);
    }
    ASLEEP.store(false, Ordering::Relaxed);
}

fn is_announced(watched: &Weak<Crossing>) -> bool {
    watched.upgrade().is_some_and(|crossing| crossing.deadline.load(Ordering::Acquire) != 0)
}

/// Stops what is late, and says how long it is until something else will be.
fn look(epoch: Instant) -> Option<Duration> {
    let now = u64::try_from(epoch.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let dog = watchdog();
    let left = dog.watched.iter().filter_map(Weak::upgrade).filter_map(|crossing| {
        // While the number stays the same, so does the call that announced.
        let number = crossing.number.load(Ordering::Acquire);
        let deadline = crossing.deadline.load(Ordering::Acquire);
        if deadline == 0 || crossing.number.load(Ordering::Acquire) != number {
            return None;
        }
        if deadline <= now {
            stop(&crossing, number, true);
        }
        Some(Duration::from_nanos(deadline.saturating_sub(now)))
    });
    left.min()
}

/// Has a call stop, once and for all: a later call has another number.
pub(super) fn stop(crossing: &Crossing, number: u64, is_late: bool) {
    crossing.stop.fetch_max(number << 1 | u64::from(is_late), Ordering::AcqRel);
    let thread = crossing.thread_id.load(Ordering::Acquire);
    if thread != 0 {
        kick(thread);
    }
}
