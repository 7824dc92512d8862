//! The Rust side of `gate.S`: the context that it works on.
#![allow(unsafe_code)]

use core::mem::offset_of;

/// `mstatus` while foreign code runs: TW (timeout wait) alone, so that `wfi` traps.
/// Previous privilege (MPP) is 0, user; previous interrupt enable does not matter, since
/// interrupts for machine mode are always enabled in user mode (privileged specification,
/// section 3.1.6.1).
pub(crate) const FOREIGN_MSTATUS: u32 = 1 << 21;

/// Foreign code's registers, and the kernel's trap state while foreign code runs.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct Context {
    pub(crate) pc: u32,
    /// `x1` to `x31` at their numbers; `x[0]` is not used.
    pub(crate) x: Registers,
    /// `mcause` of the trap.
    pub(crate) cause: u32,
    /// `mtval` of the trap.
    pub(crate) value: u32,
    host_sp: u32,
    host_mstatus: u32,
    host_mepc: u32,
    host_mcause: u32,
    host_mtval: u32,
    host_mtvec: u32,
    host_mscratch: u32,
}

/// The general registers.
#[repr(transparent)]
#[derive(Debug, Default)]
pub(crate) struct Registers([u32; 32]);

/// Numbers of the registers that the runtime looks at (RISC-V calling convention).
pub(crate) const RA: usize = 1;
pub(crate) const SP: usize = 2;
pub(crate) const TP: usize = 4;
pub(crate) const S1: usize = 9;
pub(crate) const A0: usize = 10;
pub(crate) const A1: usize = 11;
pub(crate) const A7: usize = 17;

impl Registers {
    /// The register with this number.
    #[inline]
    pub(crate) fn get(&self, number: usize) -> u32 {
        self.0.get(number).copied().unwrap_or(0)
    }

    /// Sets a register; a number that none has changes nothing.
    #[inline]
    pub(crate) fn set(&mut self, number: usize, value: u32) {
        if let Some(register) = self.0.get_mut(number) {
            *register = value;
        }
    }
}

/// How foreign code is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// At a function's entry, or behind a stub's `ecall`: with few registers set.
    Fresh,
    /// Where an interrupt stopped it.
    Whole,
}

#[cfg(target_arch = "riscv32")]
mod enabled {
    use super::{Context, FOREIGN_MSTATUS, Start, offset_of};

    core::arch::global_asm!(
        include_str!("gate.S"),
        FOREIGN_MSTATUS = const FOREIGN_MSTATUS,
        PC = const offset_of!(Context, pc),
        X = const offset_of!(Context, x),
        CAUSE = const offset_of!(Context, cause),
        VALUE = const offset_of!(Context, value),
        HOST_SP = const offset_of!(Context, host_sp),
        HOST_MSTATUS = const offset_of!(Context, host_mstatus),
        HOST_MEPC = const offset_of!(Context, host_mepc),
        HOST_MCAUSE = const offset_of!(Context, host_mcause),
        HOST_MTVAL = const offset_of!(Context, host_mtval),
        HOST_MTVEC = const offset_of!(Context, host_mtvec),
        HOST_MSCRATCH = const offset_of!(Context, host_mscratch),
    );

    unsafe extern "C" {
        fn omniglot_pmp_cross(context: *mut Context, whole: u32);
        fn omniglot_pmp_trap();
    }

    /// Runs foreign code up to its next trap.
    ///
    /// # Safety
    /// Interrupts are off, and user mode can reach nothing but the domain (invariants 2, 3).
    #[inline]
    pub(crate) unsafe fn cross(context: &mut Context, start: Start) {
        // SAFETY: the caller's promise; the gate keeps the C calling convention and writes
        // nothing but the context and the stack below its own frame.
        unsafe { omniglot_pmp_cross(context, u32::from(start == Start::Whole)) };
    }

    /// The address of the trap handler.
    pub(crate) fn handler() -> u32 {
        (omniglot_pmp_trap as unsafe extern "C" fn() as usize) as u32
    }
}

#[cfg(not(target_arch = "riscv32"))]
mod enabled {
    use super::{Context, FOREIGN_MSTATUS, Start, offset_of};

    /// There is no foreign code to run here: [`Pmp::start`](crate::Pmp::start) is an error.
    ///
    /// # Safety
    /// None needed.
    pub(crate) unsafe fn cross(_: &mut Context, _: Start) {
        const { assert!(offset_of!(Context, pc) == 0 && FOREIGN_MSTATUS != 0) }
    }

    pub(crate) fn handler() -> u32 {
        0
    }
}

pub(crate) use enabled::{cross, handler};
