//! The calling thread's alternate signal stack (sigaltstack(2)), as the kernel has it.
#![allow(unsafe_code)]

use std::ptr::null_mut;

use omniglot_core::{Error, Result};

use crate::enabled::system::last_error;

/// `AT_MINSIGSTKSZ`: the size of the kernel's frame, with all vector registers.
pub(super) fn minimal_size() -> usize {
    // SAFETY: reads the auxiliary vector (invariant 15).
    let size = unsafe { libc::getauxval(51) };
    (size as usize).max(2048)
}

/// `SS_AUTODISARM`: a handler runs without an alternate stack, so a stack pointer that foreign code
/// left inside it does not mislead the kernel (sigaltstack(2)).
const AUTODISARM: i32 = 1 << 31;

/// Sets the stack; returns the one before.
pub(super) fn set(start: usize, size: usize) -> Result<libc::stack_t> {
    let stack = libc::stack_t {
        ss_sp: std::ptr::with_exposed_provenance_mut(start),
        ss_flags: AUTODISARM,
        ss_size: size,
    };
    let mut previous = stack;
    match exchange(Some(&stack), &mut previous) {
        0 => Ok(previous),
        errno => Err(Error::System { operation: "an alternate stack", errno }),
    }
}

/// Sets a stack that was there before.
pub(super) fn restore(previous: &libc::stack_t) {
    exchange(Some(previous), &mut none());
}

/// Handlers run without an alternate stack until `rt_sigreturn` brings it back.
pub(super) fn disarm() {
    exchange(Some(&none()), &mut none());
}

/// No stack.
pub(super) const fn none() -> libc::stack_t {
    libc::stack_t { ss_sp: null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 }
}

/// The system call: the error number, or 0.
fn exchange(new: Option<&libc::stack_t>, old: &mut libc::stack_t) -> i32 {
    let new = new.map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: null or a stack to read, and one to write (invariant 12). Callers give the thread's
    // own stack (invariant 9), none, or what it was before.
    match unsafe { libc::syscall(libc::SYS_sigaltstack, new, std::ptr::from_mut(old)) } {
        0 => 0,
        _ => last_error(),
    }
}
