//! A forked child that returns from a handler of the host into the middle of a call.
//!
//! The child has none of the domain's memory, nor the shared page. But between two of the engine's
//! checks of the process generation, its parent's code writes to both. The child gets pages of its
//! own there, and the call ends where foreign code would begin, or where it has ended.
//!
//! Of verified code the child has all memory, and no watchdog: there the gate is told to stop.
#![allow(unsafe_code)]

use std::sync::atomic::Ordering;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

use super::context::GateContext;
use super::shared_page::{SHARED_ALIAS, SHARED_SIZE};
use crate::enabled::layout::PAGE;

/// Gives a forked child memory to write to, at the addresses of its parent's view of a domain's
/// registers and of the shared page. Runs in a signal handler: only system calls (invariant 7).
pub(super) fn stand_in(context: &GateContext) {
    // If foreign code has already returned: a stack pointer that no call can have left, so that the
    // engine looks for the reason.
    context.left.stack.store(u64::MAX, Ordering::Relaxed);
    if context.is_sfi() {
        let number = context.number.load(Ordering::Relaxed);
        context.stop.store(number << 1, Ordering::Relaxed);
    }
    if !context.is_keyed() {
        return; // nothing is written
    }
    let registers = context.domain.alias.load(Ordering::Relaxed).addr();
    fill(registers, PAGE);
    fill(SHARED_ALIAS.load(Ordering::Relaxed), SHARED_SIZE);
}

fn fill(start: usize, len: usize) {
    let place = std::ptr::with_exposed_provenance_mut(start);
    let access = ProtFlags::READ | ProtFlags::WRITE;
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED_NOREPLACE;
    // SAFETY: fails where anything is mapped. Where nothing is, no Rust object is (invariants 2
    // and 6). A system call, as handlers may make (invariant 7).
    if unsafe { mmap_anonymous(place, len, access, flags) }.is_err() {
        // The handler mapped something there, which would be overwritten now.
        std::process::abort();
    }
}
