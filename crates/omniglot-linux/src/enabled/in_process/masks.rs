//! Which signals the calling thread blocks: as words of the kernel's, a bit for each signal.
#![allow(unsafe_code)]

use libc::c_int;
use omniglot_core::{Error, Result};

use super::kick::KICK;
use crate::enabled::system::last_error;

/// The signals that foreign code can raise.
pub(super) const FAULTS: [c_int; 6] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP, libc::SIGSYS];

/// A signal's bit.
pub(super) const fn bit(signal: c_int) -> u64 {
    1 << (signal - 1)
}

/// The kernel's 64 signals of a set of the C library's.
pub(super) fn first_word(set: &libc::sigset_t) -> u64 {
    // SAFETY: a set starts with the word of the kernel's 64 signals (invariant 12).
    unsafe { std::ptr::from_ref(set).cast::<u64>().read() }
}

/// Changes them.
pub(super) fn set_first_word(set: &mut libc::sigset_t, word: u64) {
    // SAFETY: a set starts with the word of the kernel's 64 signals (invariant 12).
    unsafe { std::ptr::from_mut(set).cast::<u64>().write(word) };
}

/// The signals that stay unblocked on threads that enter foreign code.
pub(super) fn never_blocked() -> u64 {
    FAULTS.into_iter().chain([KICK]).fold(0, |word, signal| word | bit(signal))
}

/// The system call: the error number, or 0.
pub(super) fn kernel_mask(how: c_int, new: Option<&u64>, old: &mut u64) -> c_int {
    let number = libc::SYS_rt_sigprocmask;
    let new = new.map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: null or a word to read, and one to write, of the kernel's size (invariant 12).
    match unsafe { libc::syscall(number, how, new, std::ptr::from_mut(old), size_of::<u64>()) } {
        0 => 0,
        _ => last_error(),
    }
}

/// Replaces the mask.
pub(super) fn set_mask(word: u64) {
    kernel_mask(libc::SIG_SETMASK, Some(&word), &mut 0);
}

/// Does something while no handler can run on the calling thread.
pub(super) fn with_all_blocked<T>(what: impl FnOnce() -> T) -> T {
    let mut before = 0;
    kernel_mask(libc::SIG_SETMASK, Some(&u64::MAX), &mut before);
    let result = what();
    set_mask(before);
    result
}

/// Faults of foreign code must reach our handler: a blocked one ends the process.
pub(super) fn unblock() -> Result<()> {
    match kernel_mask(libc::SIG_UNBLOCK, Some(&never_blocked()), &mut 0) {
        0 => Ok(()),
        errno => Err(Error::System { operation: "unblocking signals", errno }),
    }
}
