//! Control and status registers, by number (privileged specification, chapter 2).
//!
//! On other processors they all read 0, so that the crate compiles there for its tests.
#![allow(unsafe_code)]

pub(crate) const MSTATUS: u16 = 0x300;
pub(crate) const MISA: u16 = 0x301;
pub(crate) const MEDELEG: u16 = 0x302;
pub(crate) const MIDELEG: u16 = 0x303;
pub(crate) const MTVEC: u16 = 0x305;
pub(crate) const MCOUNTEREN: u16 = 0x306;
pub(crate) const SATP: u16 = 0x180;
/// Only on harts with Smepmp.
pub(crate) const MSECCFG: u16 = 0x747;

/// mstatus.MIE: interrupts are taken in machine mode.
const INTERRUPTS: u32 = 1 << 3;

/// Reads a register.
///
/// # Safety
/// The processor has it, and reading it has no side effect.
#[inline(always)]
pub(crate) unsafe fn read<const CSR: u16>() -> u32 {
    #[cfg(target_arch = "riscv32")]
    {
        let value: u32;
        // SAFETY: the caller's promise.
        unsafe {
            core::arch::asm!("csrr {}, {}", out(reg) value, const CSR, options(nomem, nostack));
        }
        value
    }
    #[cfg(not(target_arch = "riscv32"))]
    0
}

/// Writes a register and gives what it held.
///
/// # Safety
/// The processor has it, and what the new value allows or forbids is what the caller
/// means (invariants 2, 3).
#[inline(always)]
pub(crate) unsafe fn swap<const CSR: u16>(value: u32) -> u32 {
    #[cfg(target_arch = "riscv32")]
    {
        let old: u32;
        // SAFETY: the caller's promise. Memory is clobbered: what may be accessed changes.
        unsafe {
            core::arch::asm!(
                "csrrw {}, {}, {}", out(reg) old, const CSR, in(reg) value, options(nostack)
            );
        }
        old
    }
    #[cfg(not(target_arch = "riscv32"))]
    {
        let _ = value;
        0
    }
}

/// Turns interrupts off until it is dropped, if they were on.
#[derive(Debug)]
pub(crate) struct InterruptsOff {
    were_on: bool,
}

impl InterruptsOff {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        #[cfg(target_arch = "riscv32")]
        {
            let old: u32;
            // SAFETY: clears mstatus.MIE and nothing else.
            unsafe {
                core::arch::asm!("csrrci {}, mstatus, 8", out(reg) old, options(nostack));
            }
            Self { were_on: old & INTERRUPTS != 0 }
        }
        #[cfg(not(target_arch = "riscv32"))]
        Self { were_on: INTERRUPTS == 0 }
    }
}

impl Drop for InterruptsOff {
    #[inline(always)]
    fn drop(&mut self) {
        if self.were_on {
            interrupts_on();
        }
    }
}

#[inline(always)]
fn interrupts_on() {
    #[cfg(target_arch = "riscv32")]
    // SAFETY: sets mstatus.MIE, which was set before.
    unsafe {
        core::arch::asm!("csrsi mstatus, 8", options(nostack));
    }
}

/// Makes instructions that were written visible to instruction fetch on this hart.
pub(crate) fn fence_i() {
    #[cfg(target_arch = "riscv32")]
    // SAFETY: a fence changes no state of the program.
    unsafe {
        core::arch::asm!("fence.i", options(nostack));
    }
}
