//! What else of the hart's state user mode depends on.
#![allow(unsafe_code)]

use omniglot_core::{Error, Result};

use crate::csr::{self, MCOUNTEREN, MEDELEG, MIDELEG, MISA, MSTATUS, MTVEC, SATP};
use crate::gate;

/// What the hart has, found out once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    /// Supervisor mode: traps can be delegated to it, and it can translate addresses.
    supervisor: bool,
}

/// What the kernel had in the registers that foreign code must not see so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    counters: u32,
    exceptions: u32,
    interrupts: u32,
    translation: u32,
}

impl Machine {
    /// Looks at the hart, and tries whether it takes what the gate writes.
    pub(crate) fn new() -> Result<Self> {
        let has = |misa: u32, letter: u8| misa & 1 << (letter - b'A') != 0;
        // SAFETY: every hart has misa; reading it has no effect.
        let misa = unsafe { csr::read::<MISA>() };
        // A hart may leave misa 0; the kernel promises user mode.
        if misa != 0 && !has(misa, b'U') {
            return Err(Error::Unsupported {
                what: "user mode, which this hart lacks",
                remedy: "run foreign code on a hart with machine and user mode",
            });
        }
        Self::try_out()?;
        Ok(Self { supervisor: has(misa, b'S') })
    }

    /// Whether the trap vector and the status that the gate writes stay as written.
    fn try_out() -> Result<()> {
        let interrupts = csr::InterruptsOff::new();
        // SAFETY: interrupts are off, and nothing traps until the old value is back.
        let vector = unsafe { csr::swap::<MTVEC>(gate::handler()) };
        // SAFETY: as above, the other way round.
        let held = unsafe { csr::swap::<MTVEC>(vector) };
        // SAFETY: interrupts are off before and after; nothing returns from a trap meanwhile.
        let status = unsafe { csr::swap::<MSTATUS>(gate::FOREIGN_MSTATUS) };
        // SAFETY: as above, the other way round.
        let taken = unsafe { csr::swap::<MSTATUS>(status) };
        drop(interrupts);
        if held == gate::handler() && taken == gate::FOREIGN_MSTATUS {
            return Ok(());
        }
        Err(Error::Unsupported {
            what: "a hart whose mtvec and mstatus hold what the gate writes",
            remedy: "a hart with direct trap vectors, mstatus.TW and user mode is needed",
        })
    }

    /// Takes counters, delegation and translation from user mode. Interrupts are off.
    #[inline(always)]
    pub(crate) fn close_up(self) -> Kept {
        // SAFETY: harts with user mode have it; 0 allows user mode no counter.
        let counters = unsafe { csr::swap::<MCOUNTEREN>(0) };
        let (mut exceptions, mut interrupts, mut translation) = (0, 0, 0);
        if self.supervisor {
            // SAFETY: harts with supervisor mode have it; 0 sends every trap to machine mode.
            exceptions = unsafe { csr::swap::<MEDELEG>(0) };
            // SAFETY: as above.
            interrupts = unsafe { csr::swap::<MIDELEG>(0) };
            // SAFETY: as above; addresses of user mode are physical ones.
            translation = unsafe { csr::swap::<SATP>(0) };
        }
        Kept { counters, exceptions, interrupts, translation }
    }

    /// Gives back what [`close_up`](Self::close_up) took.
    #[inline(always)]
    pub(crate) fn put_back(self, kept: Kept) {
        // SAFETY: the kernel's own value.
        unsafe { csr::swap::<MCOUNTEREN>(kept.counters) };
        if self.supervisor {
            // SAFETY: the kernel's own value.
            unsafe { csr::swap::<MEDELEG>(kept.exceptions) };
            // SAFETY: the kernel's own value.
            unsafe { csr::swap::<MIDELEG>(kept.interrupts) };
            // SAFETY: the kernel's own value.
            unsafe { csr::swap::<SATP>(kept.translation) };
        }
    }
}
