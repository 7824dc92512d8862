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
const MEPC: u16 = 0x341;
const MCAUSE: u16 = 0x342;
const MTVAL: u16 = 0x343;
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

/// Turns interrupts off until it is dropped, if they were on, and keeps the trap registers
/// where they mean something.
///
/// Where interrupts are on, the next one overwrites `mepc`, `mcause` and `mtval`, so nobody
/// relies on them. Where they are off, that may be since this is called from a trap handler
/// that returns by them.
#[derive(Debug)]
pub(crate) struct InterruptsOff {
    handling: Option<Handling>,
}

/// What a trap handler has in its registers.
#[derive(Debug)]
struct Handling {
    pc: u32,
    cause: u32,
    value: u32,
}

impl InterruptsOff {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        #[cfg(target_arch = "riscv32")]
        let status: u32;
        #[cfg(target_arch = "riscv32")]
        // SAFETY: clears mstatus.MIE and nothing else.
        unsafe {
            core::arch::asm!("csrrci {}, mstatus, 8", out(reg) status, options(nostack));
        }
        #[cfg(not(target_arch = "riscv32"))]
        let status = INTERRUPTS;
        let were_on = status & INTERRUPTS != 0;
        Self { handling: if were_on { None } else { Some(Handling::read()) } }
    }
}

impl Handling {
    #[cold]
    #[inline(never)]
    fn read() -> Self {
        // SAFETY: every hart has these three; reading them has no effect.
        let pc = unsafe { read::<MEPC>() };
        // SAFETY: as above.
        let cause = unsafe { read::<MCAUSE>() };
        // SAFETY: as above.
        let value = unsafe { read::<MTVAL>() };
        Self { pc, cause, value }
    }

    /// By reference and not inlined, so that nothing is loaded for it where it is not needed.
    #[cold]
    #[inline(never)]
    fn put_back(&self) {
        // SAFETY: the kernel's own value.
        unsafe { swap::<MEPC>(self.pc) };
        // SAFETY: the kernel's own value.
        unsafe { swap::<MCAUSE>(self.cause) };
        // SAFETY: the kernel's own value.
        unsafe { swap::<MTVAL>(self.value) };
    }
}

impl Drop for InterruptsOff {
    #[inline(always)]
    fn drop(&mut self) {
        match &self.handling {
            None => interrupts_on(),
            Some(handling) => handling.put_back(),
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
