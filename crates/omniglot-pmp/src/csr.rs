//! Control and status registers, by number (privileged specification, chapter 2).
//!
//! On other processors they all read 0, so that the crate's tests compile there.
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
/// The processor has the register, and reading it has no side effect.
#[inline(always)]
pub(crate) unsafe fn read<const CSR: u16>() -> u32 {
    #[cfg(target_arch = "riscv32")]
    {
        let value: u32;
        // SAFETY: the hart has the register, as the caller promises (invariant 5).
        unsafe {
            core::arch::asm!("csrr {}, {}", out(reg) value, const CSR, options(nomem, nostack));
        }
        value
    }
    #[cfg(not(target_arch = "riscv32"))]
    0
}

/// Writes a register and returns its previous value.
///
/// # Safety
/// The processor has the register, and the caller ensures that what the new value allows or forbids
/// is intended (invariants 2, 3, 4).
#[inline(always)]
pub(crate) unsafe fn swap<const CSR: u16>(value: u32) -> u32 {
    #[cfg(target_arch = "riscv32")]
    {
        let old: u32;
        // SAFETY: the hart has the register, and the caller intends the change (invariants 2 to 5).
        // Memory counts as clobbered, since the change may affect what can be accessed.
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

/// Trap registers of a trap handler.
///
/// While interrupts are on, the next interrupt overwrites `mepc`, `mcause` and `mtval`, so nobody
/// relies on them. While interrupts are off, the caller may be a trap handler that still needs them
/// to return.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TrapRegisters {
    pc: u32,
    cause: u32,
    value: u32,
}

impl TrapRegisters {
    /// Turns interrupts off. Saves the trap registers if interrupts were off already. Returns true
    /// if they were on.
    ///
    /// The registers are saved in the caller's long-lived memory, so that nothing is copied where
    /// they do not matter.
    #[inline(always)]
    pub(crate) fn interrupts_off(&mut self) -> bool {
        let were_on = interrupts_off();
        if !were_on {
            self.keep();
        }
        were_on
    }

    /// Restores what [`interrupts_off`](Self::interrupts_off) and foreign code changed.
    #[inline(always)]
    pub(crate) fn restore_interrupts(&self, were_on: bool) {
        if were_on { interrupts_on() } else { self.restore() }
    }

    #[cold]
    #[inline(never)]
    fn keep(&mut self) {
        // SAFETY: every hart has it (invariant 5).
        self.pc = unsafe { read::<MEPC>() };
        // SAFETY: as above (invariant 5).
        self.cause = unsafe { read::<MCAUSE>() };
        // SAFETY: as above (invariant 5).
        self.value = unsafe { read::<MTVAL>() };
    }

    #[cold]
    #[inline(never)]
    fn restore(&self) {
        // SAFETY: the kernel's own value (invariant 4).
        unsafe { swap::<MEPC>(self.pc) };
        // SAFETY: the kernel's own value (invariant 4).
        unsafe { swap::<MCAUSE>(self.cause) };
        // SAFETY: the kernel's own value (invariant 4).
        unsafe { swap::<MTVAL>(self.value) };
    }
}

/// Turns interrupts off. Returns true if they were on.
#[inline(always)]
fn interrupts_off() -> bool {
    #[cfg(target_arch = "riscv32")]
    let status: u32;
    #[cfg(target_arch = "riscv32")]
    // SAFETY: clears mstatus.MIE and nothing else, until it is restored (invariant 4).
    unsafe {
        core::arch::asm!("csrrci {}, mstatus, 8", out(reg) status, options(nostack));
    }
    #[cfg(not(target_arch = "riscv32"))]
    let status = INTERRUPTS;
    status & INTERRUPTS != 0
}

#[inline(always)]
fn interrupts_on() {
    #[cfg(target_arch = "riscv32")]
    // SAFETY: sets mstatus.MIE, which was set before (invariant 4).
    unsafe {
        core::arch::asm!("csrsi mstatus, 8", options(nostack));
    }
}

/// Runs a closure with interrupts off.
pub(crate) fn without_interrupts<T>(body: impl FnOnce() -> T) -> T {
    let mut trap_registers = TrapRegisters::default();
    let were_on = trap_registers.interrupts_off();
    let result = body();
    trap_registers.restore_interrupts(were_on);
    result
}

/// Makes instructions that were written visible to instruction fetch on this hart.
pub(crate) fn fence_i() {
    #[cfg(target_arch = "riscv32")]
    // SAFETY: a fence changes no kernel state (invariant 4).
    unsafe {
        core::arch::asm!("fence.i", options(nostack));
    }
}
