//! The C library's functions for signal masks, which this module defines for the whole program: what
//! ends or interrupts foreign code stays unblocked on threads that enter it.
#![allow(unsafe_code)]

use std::ffi::CStr;

use libc::c_int;

use super::masks::{bit, first_word, kernel_mask, never_blocked};
use super::threads::Thread;
use crate::enabled::generation;

/// The functions that this module defines for the program.
pub(super) fn interposed() -> [(&'static CStr, *const ()); 2] {
    [(c"pthread_sigmask", pthread_sigmask as *const ()), (c"sigprocmask", sigprocmask as *const ())]
}

/// pthread_sigmask(3), for the whole program: the signals that foreign code can raise, and the one
/// that interrupts it, stay unblocked on threads that enter foreign code, since a blocked fault
/// ends the process.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_sigmask(
    how: c_int,
    new: *const libc::sigset_t,
    old: *mut libc::sigset_t,
) -> c_int {
    /// Two signals that the C library reserves for itself (signal(7)).
    const INTERNAL: u64 = bit(32) | bit(33);
    // SAFETY: null or a set, as the caller promises (invariant 14).
    let new = unsafe { new.as_ref() }.map(first_word);
    let is_own = Thread::is_known() && !generation::is_in_parents_memory();
    let kept = if is_own { never_blocked() } else { 0 };
    let word = new.map(|word| match how {
        libc::SIG_UNBLOCK => word,
        _ => word & !(INTERNAL | kept),
    });
    let mut before = 0;
    let result = kernel_mask(how, word.as_ref(), &mut before);
    if result == 0 && !old.is_null() {
        // SAFETY: room for a set, as the caller promises, which starts with the kernel's word
        // (invariant 14).
        unsafe { libc::sigemptyset(old) };
        // SAFETY: as above (invariant 14).
        unsafe { old.cast::<u64>().write(before) };
    }
    result
}

/// sigprocmask(2): the same, but it reports errors in another way.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn sigprocmask(
    how: c_int,
    new: *const libc::sigset_t,
    old: *mut libc::sigset_t,
) -> c_int {
    // SAFETY: what the caller promises of the C library's function (invariant 14).
    let error = unsafe { pthread_sigmask(how, new, old) };
    if error == 0 {
        return 0;
    }
    // SAFETY: asks where this thread's error number is (invariant 15).
    let place = unsafe { libc::__errno_location() };
    // SAFETY: this thread's own error number (invariant 15).
    unsafe { place.write(error) };
    -1
}
