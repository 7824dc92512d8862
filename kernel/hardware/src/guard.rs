//! A page below the kernel's stack that nobody can touch: a stack that overflows is a fault,
//! not a write into the kernel's data.
#![allow(unsafe_code)]

use riscv::register::{Permission, Range, pmpaddr0, pmpcfg0};

/// Where it is (`memory.x`), and its size, to which it is aligned.
const START: usize = 0x8177_f000;
const SIZE: usize = 4096;

/// Closes the page for good: a locked entry also binds machine mode, and comes before those
/// that `omniglot-pmp` is lent (privileged specification, section 3.7.1.2).
pub(crate) fn close() {
    // A power of two is written as the ones below it, in units of four bytes.
    let address = (START >> 2) | ((SIZE >> 3) - 1);
    // SAFETY: the hart has the entry, and it is off, so its address has no effect yet
    // (invariant 2).
    unsafe { pmpaddr0::write(address) };
    // SAFETY: `memory.x` leaves nothing in the page (invariant 3).
    unsafe { pmpcfg0::set_pmp(0, Range::NAPOT, Permission::NONE, true) };
}
