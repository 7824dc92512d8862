//! Changes of the process's executable memory, by any thread, at any time.
//!
//! Foreign code behind a key can jump to all code of the process, so memory that becomes executable
//! has to be scanned before any of it runs. A thread that makes memory executable announces it
//! before and after ([`during`]): the dynamic linker does (`linker`), and the host through the C
//! library (`executable`). In between no thread is in foreign code behind a key. Threads that are
//! get a signal, and wait in its handler; threads that want to enter wait in the host. Afterwards
//! the code is scanned, and the threads continue. If there is something that cannot be replaced,
//! their calls end.
//!
//! A thread that enters announces that first, and then checks for changes. A thread that begins a
//! change announces that first, and then checks for threads. So one of the two sees the other.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::time::{Duration, Instant};

use omniglot_core::{Error, Result};
use rustix::thread::{Timespec, nanosleep};

use crate::enabled::generation;
use crate::enabled::in_process::kick::kick;
use crate::enabled::in_process::shared_page;
use crate::enabled::system::own_number;

/// How many changes there are that have begun and not ended.
static ONGOING: AtomicU32 = AtomicU32::new(0);
/// Counts the beginnings and ends of changes.
static EPOCH: AtomicU64 = AtomicU64::new(1);
/// The value of that counter when all executable memory had last been scanned.
static LOOKED: AtomicU64 = AtomicU64::new(0);

/// The event of a call that did not enter the gate, since code changed; the gate uses no such
/// number.
pub(crate) const UNSETTLED: u32 = u32::MAX;

/// The pause between two checks whether a thread has stopped, or a change has ended.
const PAUSE: Duration = Duration::from_micros(50);
/// The longest time that a change may take, unless something is wrong: then calls are errors, and
/// do not hang.
const PATIENCE: Duration = Duration::from_secs(10);

/// The thread that runs the domain of a key.
#[repr(align(64))]
struct Stretch {
    /// The thread's number, from before it enters until after it came back; otherwise 0.
    thread: AtomicU32,
    /// Whether it is in a handler of ours meanwhile, which continues only when that is permitted.
    rests: AtomicBool,
    /// The generation of the thread's process.
    generation: AtomicU64,
}

static STRETCHES: [Stretch; 16] = [const {
    Stretch {
        thread: AtomicU32::new(0),
        rests: AtomicBool::new(false),
        generation: AtomicU64::new(0),
    }
}; 16];

impl Stretch {
    /// A thread of this process, if one is between entering and leaving.
    fn inside(&self) -> Option<u32> {
        let thread = self.thread.load(SeqCst);
        let is_own = || generation::check(self.generation.load(Acquire)).is_ok();
        (thread != 0 && is_own()).then_some(thread)
    }

    /// A thread of this process that runs foreign code, or is about to.
    fn running(&self) -> Option<u32> {
        self.inside().filter(|_| !self.rests.load(SeqCst))
    }
}

/// Whether all code has been scanned since the last change.
#[inline]
pub(crate) fn are_settled() -> bool {
    ONGOING.load(SeqCst) == 0 && EPOCH.load(SeqCst) == LOOKED.load(SeqCst)
}

/// What to pass to [`looked`] after a scan that begins now.
pub(crate) fn epoch() -> u64 {
    EPOCH.load(SeqCst)
}

/// All code that existed at that time has been scanned.
pub(crate) fn looked(epoch: u64) {
    LOOKED.fetch_max(epoch, SeqCst);
}

/// Waits until no change is in progress.
///
/// # Errors
/// [`Error::Interrupted`] if the call must stop; [`Error::Unsupported`] if a change goes on for
/// long.
#[cold]
pub(crate) fn wait(must_stop: impl Fn() -> bool) -> Result<()> {
    let since = Instant::now();
    while ONGOING.load(SeqCst) != 0 {
        if must_stop() {
            return Err(Error::Interrupted);
        }
        if since.elapsed() > PATIENCE {
            return Err(Error::Unsupported {
                what: "the process has been loading code for ten seconds",
                remedy: "use Isolation::Process",
            });
        }
        pause();
    }
    Ok(())
}

/// A thread is about to enter the domain of a key; returns false if it must not, since code
/// changed.
#[inline]
pub(crate) fn enter(key: u32, thread: u32, generation: u64) -> bool {
    let Some(stretch) = STRETCHES.get(key as usize) else { return false };
    stretch.generation.store(generation, Relaxed);
    stretch.rests.store(false, Relaxed);
    stretch.thread.store(thread, SeqCst);
    let may = are_settled();
    if !may {
        stretch.thread.store(0, Release);
    }
    may
}

/// The thread came back.
#[inline]
pub(crate) fn leave(key: u32) {
    if let Some(stretch) = STRETCHES.get(key as usize) {
        stretch.thread.store(0, Release);
    }
}

/// The thread that runs the domain is in a signal handler of ours, and runs no foreign code before
/// [`go_on`] or [`may_go_on`] permits it. Returns true if it was there already.
pub(crate) fn rest(key: u32) -> bool {
    STRETCHES.get(key as usize).is_some_and(|stretch| stretch.rests.swap(true, SeqCst))
}

/// Returns true if that thread may continue now. Otherwise it stays as [`rest`] left it.
pub(crate) fn may_go_on(key: u32) -> bool {
    let Some(stretch) = STRETCHES.get(key as usize) else { return false };
    stretch.rests.store(false, SeqCst);
    let may = are_settled();
    if !may {
        stretch.rests.store(true, SeqCst);
    }
    may
}

/// Waits until that thread may continue; false if it must not, or has no time left.
///
/// `is_looked_at` says whether a scan is in progress, which has yet to report its result.
pub(crate) fn go_on(
    key: u32,
    is_looked_at: impl Fn() -> bool,
    must_stop: impl Fn() -> bool,
) -> bool {
    // Pauses instead of reading the clock, which handlers should not do.
    let mut left = PATIENCE.as_micros() / PAUSE.as_micros();
    loop {
        if may_go_on(key) {
            return true;
        }
        let is_over = ONGOING.load(SeqCst) == 0 && !is_looked_at();
        if is_over && !are_settled() || must_stop() || left == 0 {
            return false;
        }
        left -= 1;
        pause();
    }
}

/// A system call and nothing else: safe in signal handlers.
pub(crate) fn pause() {
    let time = Timespec { tv_sec: 0, tv_nsec: i64::from(PAUSE.subsec_nanos()) };
    let _ = nanosleep(&time);
}

/// Discards changes of the parent process's threads, which do not exist in this one.
pub(crate) fn forget() {
    ONGOING.store(0, SeqCst);
}

/// Begins a change, and stops the threads that run foreign code behind keys.
pub(crate) fn begin() {
    ONGOING.fetch_add(1, SeqCst);
    EPOCH.fetch_add(1, SeqCst);
    if !shared_page::are_in_use() {
        return;
    }
    stop_others();
}

/// Waits until no other thread runs foreign code behind a key.
fn stop_others() {
    let own = own_number();
    for stretch in &STRETCHES {
        // A thread in a handler rests, also on its way into foreign code: of two that do this, none
        // waits for the other.
        while let Some(thread) = stretch.running().filter(|thread| *thread != own) {
            // Repeatedly, since a thread that was not yet in foreign code did not notice the
            // signal.
            if !kick(thread) {
                // It ended during a call, which a handler of the host's can cause.
                let _ = stretch.thread.compare_exchange(thread, 0, SeqCst, SeqCst);
            }
            pause();
        }
    }
}

/// Ends the change. Calls that wait continue only after a scan, which `look` is; if no call waits,
/// the next one scans.
pub(crate) fn end(look: impl FnOnce() -> Result<()>) {
    EPOCH.fetch_add(1, SeqCst);
    if shared_page::are_in_use() && STRETCHES.iter().any(|stretch| stretch.inside().is_some()) {
        // An error is reported by the calls that find the change unsettled.
        let _ = look();
    }
    ONGOING.fetch_sub(1, SeqCst);
}

/// Does something that changes what is executable; `look` scans it, as for [`end`].
pub(crate) fn during<T>(change: impl FnOnce() -> T, look: impl FnOnce() -> Result<()>) -> T {
    begin();
    let result = change();
    end(look);
    result
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    /// A key that no domain of these tests has.
    const KEY: usize = 15;

    #[test]
    fn who_is_gone_is_waited_for_by_nobody() {
        let thread = std::thread::spawn(own_number).join().expect("a number");
        let stretch = &STRETCHES[KEY];
        stretch.generation.store(generation::current().expect("a generation"), SeqCst);
        stretch.thread.store(thread, SeqCst);
        let (done, is_done) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            stop_others();
            let _ = done.send(());
        });
        let outcome = is_done.recv_timeout(Duration::from_secs(60));
        stretch.thread.store(0, SeqCst);
        assert_eq!(outcome, Ok(()));
    }

    /// As two handlers do that interrupted their threads on the way into foreign code.
    #[test]
    fn two_that_rest_wait_for_neither() {
        const KEYS: [usize; 2] = [13, 14];
        let (done, is_done) = std::sync::mpsc::channel();
        let both = std::sync::Arc::new(std::sync::Barrier::new(KEYS.len()));
        for key in KEYS {
            let (done, both) = (done.clone(), std::sync::Arc::clone(&both));
            std::thread::spawn(move || {
                let own = own_number();
                let stretch = &STRETCHES[key];
                stretch.generation.store(generation::current().expect("a generation"), SeqCst);
                stretch.thread.store(own, SeqCst);
                assert!(!rest(key as u32));
                both.wait();
                stop_others();
                both.wait();
                assert!(rest(key as u32), "a handler of a handler leaves it so");
                stretch.rests.store(false, SeqCst);
                leave(key as u32);
                let _ = done.send(());
            });
        }
        for _ in KEYS {
            assert_eq!(is_done.recv_timeout(Duration::from_secs(60)), Ok(()));
        }
    }

    #[test]
    fn a_call_that_must_stop_does_not_wait() {
        ONGOING.fetch_add(1, SeqCst);
        let outcome = wait(|| true);
        ONGOING.fetch_sub(1, SeqCst);
        assert_eq!(outcome, Err(Error::Interrupted));
    }
}
