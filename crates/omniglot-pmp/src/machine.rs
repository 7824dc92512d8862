//! Other hart state that user mode depends on.
#![allow(unsafe_code)]

use omniglot_core::{Error, Result};

use crate::csr::{self, MCOUNTEREN, MEDELEG, MIDELEG, MISA, MSTATUS, MTVEC, SATP};
use crate::gate;

/// Features of the hart, probed once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    /// Supervisor mode: traps can be delegated to it, and it can translate addresses.
    supervisor: bool,
    /// The interrupts that `mideleg` can delegate. A hypervisor's interrupts are always delegated
    /// (privileged specification, section 8.4.2). They do not occur where it is off.
    delegable: u32,
}

/// The kernel's values of the registers that must be 0 while foreign code runs. They are 0 in most
/// kernels, and then nothing needs to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KernelRegisters {
    counters: u32,
    exceptions: u32,
    interrupts: u32,
    translation: u32,
}

impl Machine {
    /// Probes the hart, and checks that it keeps the values that the gate writes. In an exclusive
    /// kernel the registers that could give user mode more rights are set to 0 permanently.
    pub(crate) fn new(exclusive: bool) -> Result<Self> {
        let has = |misa: u32, letter: u8| misa & 1 << (letter - b'A') != 0;
        // SAFETY: every hart has misa (invariant 5).
        let misa = unsafe { csr::read::<MISA>() };
        // `misa` may read 0. The kernel then promises that there is user mode and no supervisor
        // mode.
        if misa != 0 && !has(misa, b'U') {
            return Err(Error::Unsupported {
                what: "user mode, which this hart lacks",
                remedy: "run foreign code on a hart with machine and user mode",
            });
        }
        Self::check_accepted()?;
        let mut machine = Self { supervisor: has(misa, b'S'), delegable: u32::MAX };
        csr::without_interrupts(|| {
            let kept = machine.swap(KernelRegisters::NOTHING);
            machine.delegable = !machine.swap(kept).interrupts;
            if exclusive {
                machine.swap(KernelRegisters::NOTHING);
            }
        });
        Ok(machine)
    }

    /// Checks that the hart keeps the trap vector and the status that the gate writes.
    fn check_accepted() -> Result<()> {
        let (held, taken) = csr::without_interrupts(|| {
            // SAFETY: interrupts are off, and nothing traps until the old value is back (invariant 4).
            let vector = unsafe { csr::swap::<MTVEC>(gate::handler()) };
            // SAFETY: the kernel's own value (invariant 4).
            let held = unsafe { csr::swap::<MTVEC>(vector) };
            // SAFETY: interrupts are off before and after; nothing returns from a trap until the
            // old value is back (invariant 4).
            let status = unsafe { csr::swap::<MSTATUS>(gate::FOREIGN_MSTATUS) };
            // SAFETY: the kernel's own value (invariant 4).
            let taken = unsafe { csr::swap::<MSTATUS>(status) };
            (held, taken)
        });
        if held == gate::handler() && taken == gate::FOREIGN_MSTATUS {
            return Ok(());
        }
        Err(Error::Unsupported {
            what: "a hart whose mtvec and mstatus hold what the gate writes",
            remedy: "a hart with direct trap vectors, mstatus.TW and user mode is needed",
        })
    }

    /// Denies counters, delegation and translation to user mode. Returns the kernel's values if any
    /// was not 0. Interrupts must be off.
    #[inline(always)]
    pub(crate) fn restrict(self) -> Option<KernelRegisters> {
        if self.is_open() { Some(self.swap(KernelRegisters::NOTHING)) } else { None }
    }

    /// Restores the values that [`restrict`](Self::restrict) returned.
    #[inline(always)]
    pub(crate) fn restore(self, kept: Option<KernelRegisters>) {
        if let Some(kept) = kept {
            self.swap(kept);
        }
    }

    /// Returns true if user mode has access to any of these.
    #[inline(always)]
    fn is_open(self) -> bool {
        // SAFETY: harts with user mode have it (invariant 5).
        let mut open = unsafe { csr::read::<MCOUNTEREN>() };
        if self.supervisor {
            // SAFETY: harts with supervisor mode have it (invariant 5).
            open |= unsafe { csr::read::<MEDELEG>() };
            // SAFETY: as above (invariant 5).
            open |= unsafe { csr::read::<MIDELEG>() } & self.delegable;
            // SAFETY: as above (invariant 5).
            open |= unsafe { csr::read::<SATP>() };
        }
        open != 0
    }

    #[cold]
    #[inline(never)]
    fn swap(self, new: KernelRegisters) -> KernelRegisters {
        let mut old = KernelRegisters::NOTHING;
        // SAFETY: harts with user mode have it (invariant 5); 0 allows user mode no counter
        // (invariant 3), and any other value is the kernel's own (invariant 4).
        old.counters = unsafe { csr::swap::<MCOUNTEREN>(new.counters) };
        if self.supervisor {
            // SAFETY: harts with supervisor mode have it (invariant 5); 0 sends every trap to
            // machine mode (invariant 3), and any other value is the kernel's own (invariant 4).
            old.exceptions = unsafe { csr::swap::<MEDELEG>(new.exceptions) };
            // SAFETY: as above (invariants 3, 4, 5).
            old.interrupts = unsafe { csr::swap::<MIDELEG>(new.interrupts) };
            // SAFETY: as above; with 0, addresses of user mode are physical ones (invariants 3,
            // 4, 5).
            old.translation = unsafe { csr::swap::<SATP>(new.translation) };
        }
        old
    }
}

impl KernelRegisters {
    const NOTHING: Self = Self { counters: 0, exceptions: 0, interrupts: 0, translation: 0 };
}
