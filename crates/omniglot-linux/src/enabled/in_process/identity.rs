//! What tells threads apart whatever is in their registers.
//!
//! For each thread the kernel keeps a few segment descriptors, and puts them into the
//! processor's table when the thread runs. Any code can read a descriptor's limit (`LSL`, Intel
//! SDM volume 2), and nothing but a system call can change it: so the limit is the thread's
//! number, for the gate to look at.
//!
//! The call is one of 32-bit programs (set_thread_area(2)), which kernels can lack and
//! filters can forbid. There all threads have the same number, and take turns.
#![allow(unsafe_code)]

use std::ptr::null_mut;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use omniglot_core::{Error, Result};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use rustix::thread::futex;

use super::super::layout::PAGE;
use super::super::system::refused;
use super::gate;

/// The last of the descriptors that threads have: `GDT_ENTRY_TLS_MAX` of asm/segment.h.
const ENTRY: u32 = 14;
/// How programs name it: Intel SDM volume 3, section 3.4.2.
pub(super) const SELECTOR: u32 = ENTRY << 3 | 3;
/// The number of all threads, where none has a descriptor: the gate's `LSL` leaves it as it is.
const ANYBODY: u32 = SELECTOR;
/// The number of the first thread; those below are nobody's.
const FIRST: u32 = 0x1_0000;

/// `struct user_desc` of asm/ldt.h.
#[repr(C)]
struct Descriptor {
    entry: u32,
    base: u32,
    limit: u32,
    flags: u32,
}

/// Of 32 bits and read-only: what the kernel insists on, and the least.
const FLAGS: u32 = 1 | 1 << 3;

/// Gives the calling thread a number that no other living thread has, if that can be.
pub(super) fn give(index: usize) -> Result<u32> {
    let number = FIRST + index as u32;
    if !can_be_given() {
        return Ok(ANYBODY);
    }
    match describe(number)? {
        0 if gate::identity() == number => Ok(number),
        error => Err(Error::System { operation: "a number for the thread", errno: -error }),
    }
}

/// Makes the system call, whose argument must lie below 4 GiB.
fn describe(number: u32) -> Result<i32> {
    let both = ProtFlags::READ | ProtFlags::WRITE;
    let low = MapFlags::from_bits_retain(libc::MAP_32BIT.cast_unsigned());
    // SAFETY: the kernel chooses a range that nothing else uses.
    let page = unsafe { mmap_anonymous(null_mut(), PAGE, both, MapFlags::PRIVATE | low) }
        .map_err(refused("a page below 4 GiB"))?;
    let descriptor = Descriptor { entry: ENTRY, base: 0, limit: number, flags: FLAGS };
    // SAFETY: a fresh page.
    unsafe { page.cast::<Descriptor>().write(descriptor) };
    // SAFETY: just written; nobody uses the entry, and the call works here, as
    // `can_be_given` found, or this is the child that finds out.
    let outcome = unsafe { gate::set_identity(page.addr() as u32) };
    // SAFETY: made above, and nobody knows it any more.
    let _ = unsafe { munmap(page, PAGE) };
    Ok(outcome)
}

/// Whether threads can have numbers: found out once, and by a child, since where the kernel
/// does not have the call, or a filter forbids it, who tries it ends.
fn can_be_given() -> bool {
    static FOUND: Mutex<Option<bool>> = Mutex::new(None);
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    *found.get_or_insert_with(|| is_unused() && works_in_a_child())
}

/// Whether nobody else has a use for the entry.
fn is_unused() -> bool {
    gate::identity() == ANYBODY
}

fn works_in_a_child() -> bool {
    /// A child whose end no handler hears of, and no ordinary wait (clone(2)).
    const FLAGS: i64 = 0;
    const NULL: i64 = 0;
    // SAFETY: a copy of this process, with this thread only, which ends in `try_as_child`.
    let child = unsafe { libc::syscall(libc::SYS_clone, FLAGS, NULL, NULL, NULL, NULL) };
    if child == 0 {
        try_as_child();
    }
    let mut status = 0;
    // SAFETY: waits for that child.
    let waited = unsafe { libc::waitpid(child as libc::pid_t, &raw mut status, libc::__WALL) };
    child > 0 && waited == child as libc::pid_t && libc::WIFEXITED(status) && status == 0
}

/// Nothing but system calls: other threads may have held any lock.
fn try_as_child() -> ! {
    let no_dump = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a limit of the child's own.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const no_dump) };
    let given = matches!(describe(FIRST), Ok(0)) && gate::identity() == FIRST;
    // SAFETY: ends the child at once.
    unsafe { libc::_exit(i32::from(!given)) }
}

const FREE: u32 = 0;
const HELD: u32 = 1;
const WANTED: u32 = 2;

static LOCK: AtomicU32 = AtomicU32::new(FREE);

/// Frees the turn that a thread of the parent process has, which is not in this one.
pub(super) fn forget_turns() {
    LOCK.store(FREE, Ordering::Relaxed);
}

/// Where threads have no numbers: while it lives, its thread is the only one in foreign code
/// behind a key.
#[derive(Debug)]
pub(super) struct Turn(());

impl Turn {
    /// Waits for the turn of a thread that cannot be told from others.
    #[inline]
    pub(super) fn take_if_needed(identity: u32) -> Option<Self> {
        (identity == ANYBODY).then(Self::take)
    }

    fn take() -> Self {
        if LOCK.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_err() {
            Self::wait();
        }
        Self(())
    }

    #[cold]
    fn wait() {
        while LOCK.swap(WANTED, Ordering::Acquire) != FREE {
            // Woken too early or not at all, it looks again.
            let _ = futex::wait(&LOCK, futex::Flags::PRIVATE, WANTED, None);
        }
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
