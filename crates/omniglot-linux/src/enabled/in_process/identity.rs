//! Tells threads apart whatever their registers contain.
//!
//! For each thread the kernel keeps a few segment descriptors, and loads them into the processor's
//! table when the thread runs. Any code can read a descriptor's limit (`LSL`, Intel SDM volume 2),
//! and only a system call can change it. So the limit is the thread's number, which the gate
//! checks.
//!
//! The call is one of 32-bit programs (set_thread_area(2)), which kernels can lack and
//! filters can forbid. There all threads have the same number, and take turns.
#![allow(unsafe_code)]

use std::fs::read_to_string;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use omniglot_core::{Error, Result};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use rustix::thread::{Timespec, futex};

use super::masks;
use super::places;
use super::shared_page::THREADS;
use crate::enabled::generation;
use crate::enabled::layout::PAGE;
use crate::enabled::system::{last_error, refused};

/// The last of the descriptors that threads have: `GDT_ENTRY_TLS_MAX` of asm/segment.h.
const ENTRY: u32 = 14;
/// How programs name it: Intel SDM volume 3, section 3.4.2.
pub(super) const SELECTOR: u32 = ENTRY << 3 | 3;
/// The number of all threads if none has a descriptor: the gate's `LSL` leaves the register as it
/// is.
const ANYBODY: u32 = SELECTOR;
/// The number of the first thread; lower ones are not used.
const FIRST: u32 = 0x1_0000;

/// `struct user_desc` of asm/ldt.h.
#[repr(C)]
struct Descriptor {
    entry: u32,
    base: u32,
    limit: u32,
    flags: u32,
}

/// 32 bits and read-only: the kernel requires this, and it permits the least.
const FLAGS: u32 = 1 | 1 << 3;

/// Gives the calling thread a number that no other living thread has, if possible.
///
/// # Errors
/// [`Error::Unsupported`] if that is not possible, and the thread has another's number, inherited
/// from the one that started it: then the two cannot be told apart.
pub(super) fn give(index: usize) -> Result<u32> {
    let number = FIRST + index as u32;
    if !can_be_given()? {
        return if places::identity() == ANYBODY { Ok(ANYBODY) } else { Err(not_told_apart()) };
    }
    match describe(number)? {
        0 if places::identity() == number => Ok(number),
        error => Err(Error::System { operation: "a number for the thread", errno: -error }),
    }
}

#[cold]
const fn not_told_apart() -> Error {
    Error::Unsupported {
        what: "the thread cannot be told from the one that started it, since a filter of system \
               calls came after that had called foreign code",
        remedy: "set the filter before the first call behind a key, or use Isolation::Process",
    }
}

/// Makes the system call, whose argument must lie below 4 GiB.
fn describe(number: u32) -> Result<i32> {
    let both = ProtFlags::READ | ProtFlags::WRITE;
    let low = MapFlags::from_bits_retain(libc::MAP_32BIT.cast_unsigned());
    // SAFETY: the kernel chooses a range that nothing else uses (invariant 2).
    let page = unsafe { mmap_anonymous(null_mut(), PAGE, both, MapFlags::PRIVATE | low) }
        .map_err(refused("a page below 4 GiB"))?;
    let descriptor = Descriptor { entry: ENTRY, base: 0, limit: number, flags: FLAGS };
    // SAFETY: a fresh page, large enough and aligned (invariant 2).
    unsafe { page.cast::<Descriptor>().write(descriptor) };
    // SAFETY: just written, below 4 GiB; the entry is unused, as `can_be_given` checked
    // (invariant 12). A child has found out that the call is permitted, or this is that child.
    let outcome = unsafe { places::set_identity(page.addr() as u32) };
    // SAFETY: made above, and nothing refers to it any more (invariant 2).
    let _ = unsafe { munmap(page, PAGE) };
    Ok(outcome)
}

/// Whether threads can have numbers. Where the kernel does not have the call, or a filter forbids
/// it, probing may kill the process, so a child probes. The answer is cached for threads that have
/// the same number of filters.
///
/// There is no lock: threads that probe at the same time have a child each, and a forked process
/// finds none that is locked for ever.
fn can_be_given() -> Result<bool> {
    /// The answer, and in the upper bits how many filters the probing thread had.
    static FOUND: AtomicU64 = AtomicU64::new(UNKNOWN);
    const UNKNOWN: u64 = 0;
    const YES: u64 = 1;
    const NO: u64 = 2;
    let (found, filters) = (FOUND.load(Ordering::Relaxed), filters());
    match found & (YES | NO) {
        YES if filters == Some(found >> 2) => Ok(true),
        NO if filters == Some(found >> 2) => Ok(false),
        _ => {
            let can = is_unused() && works_in_a_child()?;
            let found = if can { YES } else { NO };
            let known = filters.map_or(UNKNOWN, |filters| filters << 2 | found);
            FOUND.store(known, Ordering::Relaxed);
            Ok(can)
        }
    }
}

/// How many seccomp filters the calling thread has, which only grows (`Seccomp_filters`, Linux
/// 5.9); `None` if that is unknown.
fn filters() -> Option<u64> {
    let status = read_to_string("/proc/thread-self/status").ok()?;
    let count = status.lines().find_map(|line| line.strip_prefix("Seccomp_filters:"))?;
    count.trim().parse().ok()
}

/// Whether nothing else uses the entry: it is unset, or holds one of our numbers, inherited from
/// the thread that started this one.
fn is_unused() -> bool {
    let ours = FIRST..FIRST + THREADS as u32;
    let now = places::identity();
    now == ANYBODY || ours.contains(&now)
}

/// A word that a child shares with its parent.
struct SharedAnswer(&'static AtomicU32);

impl SharedAnswer {
    const WORKS: u32 = 1;

    fn new() -> Result<Self> {
        let both = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses a range that nothing else uses (invariant 2).
        let page = unsafe { mmap_anonymous(null_mut(), PAGE, both, MapFlags::SHARED) }
            .map_err(refused("a shared page"))?;
        // SAFETY: a fresh page of zeros, which are such a word, mapped until this is dropped
        // (invariant 2).
        Ok(Self(unsafe { &*page.cast::<AtomicU32>() }))
    }
}

impl Drop for SharedAnswer {
    fn drop(&mut self) {
        // SAFETY: mapped in `new`; the reference goes with this (invariant 2).
        let _ = unsafe { munmap(std::ptr::from_ref(self.0).cast_mut().cast(), PAGE) };
    }
}

/// The child reports on a shared page whether the call works, so its exit status, which another
/// thread might collect, does not matter.
///
/// # Errors
/// If no child can be made: then nothing is known.
fn works_in_a_child() -> Result<bool> {
    /// The flags of a child whose end is reported to no handler, and to no ordinary wait
    /// (clone(2)).
    const FLAGS: i64 = 0;
    const NULL: i64 = 0;
    let answer = SharedAnswer::new()?;
    // The child runs no handler of the host's, which would take the child for the host.
    let child = masks::with_all_blocked(|| {
        // SAFETY: without a stack for it, the child is a copy of this process on a copy of this
        // stack, with this thread only, and ends in `try_as_child` (invariant 12).
        match unsafe { libc::syscall(libc::SYS_clone, FLAGS, NULL, NULL, NULL, NULL) } {
            0 => try_as_child(&answer),
            child => child,
        }
    });
    match child {
        ..0 => Err(Error::System { operation: "a child that tries", errno: last_error() }),
        child => {
            wait_for(child as libc::pid_t);
            Ok(answer.0.load(Ordering::Acquire) == SharedAnswer::WORKS)
        }
    }
}

/// Waits until a child has ended.
fn wait_for(child: libc::pid_t) {
    loop {
        // SAFETY: waits for that child, and writes no status (invariant 12).
        let waited = unsafe { libc::waitpid(child, null_mut(), libc::__WALL) };
        // A handler of the host may interrupt this. Any other error means that the child no longer
        // exists: somebody waited for it.
        if waited >= 0 || last_error() != libc::EINTR {
            return;
        }
    }
}

/// Makes only system calls: other threads may have held any lock.
fn try_as_child(answer: &SharedAnswer) -> ! {
    let no_dump = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a limit of the child's own (invariant 12).
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const no_dump) };
    if matches!(describe(FIRST), Ok(0)) && places::identity() == FIRST {
        answer.0.store(SharedAnswer::WORKS, Ordering::Release);
    }
    // SAFETY: ends the child at once (invariant 12).
    unsafe { libc::_exit(0) }
}

const FREE: u32 = 0;
const HELD: u32 = 1;
const WANTED: u32 = 2;

static LOCK: AtomicU32 = AtomicU32::new(FREE);

/// How long a thread waits before it looks whether it is in a forked child.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Frees the turn that a thread of the parent process has, which is not in this one.
pub(super) fn forget_turns() {
    LOCK.store(FREE, Ordering::Relaxed);
}

/// Used if threads have no numbers: while it lives, its thread is the only one in foreign code
/// behind a key.
#[derive(Debug)]
pub(super) struct Turn(());

impl Turn {
    /// Waits for the turn of a thread that cannot be told from others.
    ///
    /// # Errors
    /// [`Error::Forked`] in a child that a handler forked meanwhile.
    #[inline]
    pub(super) fn take_if_needed(identity: u32, generation: u64) -> Result<Option<Self>> {
        if identity == ANYBODY { Self::take(generation).map(Some) } else { Ok(None) }
    }

    fn take(generation: u64) -> Result<Self> {
        if LOCK.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_err() {
            Self::wait(generation)?;
        }
        Ok(Self(()))
    }

    #[cold]
    fn wait(generation: u64) -> Result<()> {
        while LOCK.swap(WANTED, Ordering::Acquire) != FREE {
            // In a forked child, the thread that has it may be its parent's.
            generation::check(generation)?;
            // Woken too early or not at all, it looks again.
            let _ = futex::wait(&LOCK, futex::Flags::PRIVATE, WANTED, Some(&PATIENCE));
        }
        Ok(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if LOCK.swap(FREE, Ordering::Release) == WANTED {
            // Waking cannot fail on a word of ours.
            let _ = futex::wake(&LOCK, futex::Flags::PRIVATE, 1);
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use crate::enabled::generation::tests::in_child;

    #[test]
    fn a_turn_of_the_parents_is_waited_for_by_no_child() {
        let parents = generation::current().expect("a generation");
        assert!(in_child(|| {
            // As if a handler had forked here while another thread had the turn.
            LOCK.store(HELD, Ordering::Relaxed);
            Turn::take(parents).err() == Some(Error::Forked)
        }));
    }
}
