//! A guard page below the kernel's stack, which no mode can access. An overflow of the stack faults
//! instead of overwriting the kernel's data.
#![allow(unsafe_code)]

use riscv::register::{Permission, Range, pmpaddr0, pmpcfg0};

/// Its address (`memory.x`), and its size, to which it is aligned.
const START: usize = 0x8177_f000;
const SIZE: usize = 4096;

/// Denies all access to the page until reset. A locked entry also binds machine mode, and has
/// priority over the higher entries, which `omniglot-pmp` uses (privileged specification, section
/// 3.7.1.2).
pub(crate) fn close() {
    // NAPOT encoding: address bits in units of four bytes; the trailing ones encode the size.
    let address = (START >> 2) | ((SIZE >> 3) - 1);
    // SAFETY: the hart has this entry (invariant 2). It is off, so its address has no effect yet.
    unsafe { pmpaddr0::write(address) };
    // SAFETY: `memory.x` leaves nothing in the page (invariant 3).
    unsafe { pmpcfg0::set_pmp(0, Range::NAPOT, Permission::NONE, true) };
}
