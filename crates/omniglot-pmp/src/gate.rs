//! The Rust side of `gate.S`: the context that the gate saves to and loads from.
#![allow(unsafe_code)]

use core::mem::offset_of;

/// `mstatus` while foreign code runs: only TW (timeout wait) is set, so that `wfi` traps. The
/// previous privilege (MPP) is 0, user mode. The previous interrupt enable does not matter: in user
/// mode, machine-mode interrupts are always enabled (privileged specification, section 3.1.6.1).
pub(crate) const FOREIGN_MSTATUS: u32 = 1 << 21;

/// A trap of foreign code, as the gate reports it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trap {
    /// `mcause` (privileged specification, table 3.6).
    pub(crate) cause: u32,
    /// Foreign code's `a7`, which says what an `ecall` requests.
    pub(crate) request: u32,
}

/// Foreign code's registers, and the kernel's trap state while foreign code runs.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct Context {
    pub(crate) pc: u32,
    /// `x1` to `x31`, indexed by number. `x[0]` is unused.
    pub(crate) x: Registers,
    /// `mtval` of the trap, unless the trap is an `ecall`.
    pub(crate) value: u32,
    /// Values of `ra` and `tp` whenever foreign code starts.
    return_stub: u32,
    thread_pointer: u32,
    host_sp: u32,
    host_mstatus: u32,
    host_mtvec: u32,
    host_mscratch: u32,
}

/// The general registers.
#[repr(transparent)]
#[derive(Debug, Default)]
pub(crate) struct Registers([u32; 32]);

/// Numbers of the registers that the runtime reads (RISC-V calling convention).
pub(crate) const SP: usize = 2;
pub(crate) const A0: usize = 10;
pub(crate) const A1: usize = 11;

impl Registers {
    /// The register with this number.
    #[inline(always)]
    pub(crate) fn get(&self, number: usize) -> u32 {
        self.0.get(number).copied().unwrap_or(0)
    }
}

impl Context {
    /// Creates a context for foreign code whose calls return to the stub.
    pub(crate) fn new(return_stub: usize, thread_pointer: usize) -> Self {
        Self {
            return_stub: return_stub as u32,
            thread_pointer: thread_pointer as u32,
            ..Self::default()
        }
    }
}

/// Requests: the value that the image's stubs put into `a7` before an `ecall` (`omniglot-build`,
/// `flat/stubs.S`).
pub(crate) mod request {
    pub(crate) const RETURN: u32 = 0x6f00_0000;
    pub(crate) const CALL_BACK: u32 = 0x6f00_1000;
    pub(crate) const EXIT: u32 = 0x6f00_2000;
    pub(crate) const ABORT: u32 = 0x6f00_3000;
}

/// Initial register values of foreign code, at a function's entry or behind a stub's `ecall`. Every
/// other register is 0, or the same for all calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    pub(crate) pc: u32,
    pub(crate) sp: u32,
    pub(crate) a0: u32,
    pub(crate) a1: u32,
    pub(crate) s1: u32,
}

#[cfg(target_arch = "riscv32")]
mod enabled {
    use super::{Context, FOREIGN_MSTATUS, Start, Trap, offset_of};

    core::arch::global_asm!(
        include_str!("gate.S"),
        FOREIGN_MSTATUS = const FOREIGN_MSTATUS,
        REQUEST_RETURN = const super::request::RETURN,
        PC = const offset_of!(Context, pc),
        X = const offset_of!(Context, x),
        VALUE = const offset_of!(Context, value),
        RETURN_STUB = const offset_of!(Context, return_stub),
        THREAD_POINTER = const offset_of!(Context, thread_pointer),
        HOST_SP = const offset_of!(Context, host_sp),
        HOST_MSTATUS = const offset_of!(Context, host_mstatus),
        HOST_MTVEC = const offset_of!(Context, host_mtvec),
        HOST_MSCRATCH = const offset_of!(Context, host_mscratch),
    );

    unsafe extern "C" {
        fn omniglot_pmp_enter(
            a0: u32,
            a1: u32,
            context: *mut Context,
            pc: u32,
            sp: u32,
            s1: u32,
        ) -> u64;
        fn omniglot_pmp_resume(context: *mut Context) -> u64;
        fn omniglot_pmp_trap();
    }

    /// Runs foreign code up to its next trap.
    ///
    /// # Safety
    /// Interrupts are off, and user mode can access only the domain (invariants 2, 3).
    #[inline(always)]
    pub(crate) unsafe fn enter(context: &mut Context, start: Start) -> Trap {
        let Start { pc, sp, a0, a1, s1 } = start;
        // SAFETY: interrupts are off and user mode is confined, as the caller promises. The gate
        // follows the C calling convention, and writes only the context and its own frame on the
        // stack (invariants 2, 3).
        trap(unsafe { omniglot_pmp_enter(a0, a1, context, pc, sp, s1) })
    }

    /// As [`enter`], but resumes where an interrupt stopped foreign code.
    ///
    /// # Safety
    /// As [`enter`].
    #[inline(always)]
    pub(crate) unsafe fn resume(context: &mut Context) -> Trap {
        // SAFETY: as above (invariants 2, 3).
        trap(unsafe { omniglot_pmp_resume(context) })
    }

    #[inline(always)]
    const fn trap(words: u64) -> Trap {
        Trap { cause: words as u32, request: (words >> 32) as u32 }
    }

    /// The address of the trap handler.
    pub(crate) fn handler() -> u32 {
        (omniglot_pmp_trap as unsafe extern "C" fn() as usize) as u32
    }
}

#[cfg(not(target_arch = "riscv32"))]
mod enabled {
    use super::{Context, FOREIGN_MSTATUS, Start, Trap, offset_of};

    /// Foreign code cannot run here: [`Pmp::start`](crate::Pmp::start) returns an error.
    ///
    /// # Safety
    /// None needed.
    pub(crate) unsafe fn enter(_: &mut Context, _: Start) -> Trap {
        const { assert!(offset_of!(Context, pc) == 0 && FOREIGN_MSTATUS != 0) }
        Trap::NOT_RUN
    }

    /// As [`enter`].
    ///
    /// # Safety
    /// None needed.
    pub(crate) unsafe fn resume(_: &mut Context) -> Trap {
        Trap::NOT_RUN
    }

    pub(crate) fn handler() -> u32 {
        0
    }
}

pub(crate) use enabled::{enter, handler, resume};
