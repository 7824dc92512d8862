//! A forked child that returns from a handler of the host into the middle of a call.
//!
//! It has none of the domain's memory, nor the shared page; but between the engine's last look
//! at the generation of processes and the next, its parent's code writes to both. The child gets
//! pages of its own there, and the call ends where foreign code would begin, or did.
#![allow(unsafe_code)]

use std::sync::atomic::Ordering;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

use super::gate::GateContext;
use super::keys::{SHARED_ALIAS, SHARED_SIZE};
use crate::enabled::layout::PAGE;

/// Gives a forked child something to write to where its parent's view of a domain's registers and
/// the shared page are. In a signal handler: nothing but system calls (invariant 7).
pub(super) fn stand_in(context: &GateContext) {
    // Where foreign code came back already: as no call can have left the stack, so that the
    // engine looks why.
    context.left.stack.store(u64::MAX, Ordering::Relaxed);
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
        // The handler mapped something there, which would now be overwritten.
        std::process::abort();
    }
}
