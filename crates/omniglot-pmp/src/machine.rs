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
    /// The interrupts that `mideleg` can delegate. Those of a hypervisor are always delegated
    /// (privileged specification, section 8.4.2), and do not come where it is off.
    delegable: u32,
}

/// What the kernel had in the registers that must be 0 while foreign code runs. Most kernels have
/// 0 there: then nothing needs writing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    counters: u32,
    exceptions: u32,
    interrupts: u32,
    translation: u32,
}

impl Machine {
    /// Inspects the hart, and checks that it holds what the gate writes. In an exclusive kernel,
    /// what user mode could use of the hart is closed for good.
    pub(crate) fn new(exclusive: bool) -> Result<Self> {
        let has = |misa: u32, letter: u8| misa & 1 << (letter - b'A') != 0;
        // SAFETY: every hart has misa (invariant 5).
        let misa = unsafe { csr::read::<MISA>() };
        // A hart may leave misa 0; the kernel promises user mode, and no supervisor mode then.
        if misa != 0 && !has(misa, b'U') {
            return Err(Error::Unsupported {
                what: "user mode, which this hart lacks",
                remedy: "run foreign code on a hart with machine and user mode",
            });
        }
        Self::try_out()?;
        let mut machine = Self { supervisor: has(misa, b'S'), delegable: u32::MAX };
        csr::without_interrupts(|| {
            let kept = machine.swap(Kept::NOTHING);
            machine.delegable = !machine.swap(kept).interrupts;
            if exclusive {
                machine.swap(Kept::NOTHING);
            }
        });
        Ok(machine)
    }

    /// Whether the trap vector and the status that the gate writes stay as written.
    fn try_out() -> Result<()> {
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

    /// Takes counters, delegation and translation from user mode, and returns what the kernel
    /// had there, if anything. Interrupts are off.
    #[inline(always)]
    pub(crate) fn close_up(self) -> Option<Kept> {
        if self.is_open() { Some(self.swap(Kept::NOTHING)) } else { None }
    }

    /// Gives back what [`close_up`](Self::close_up) took.
    #[inline(always)]
    pub(crate) fn put_back(self, kept: Option<Kept>) {
        if let Some(kept) = kept {
            self.swap(kept);
        }
    }

    /// Whether anything is open to user mode.
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
    fn swap(self, new: Kept) -> Kept {
        let mut old = Kept::NOTHING;
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

impl Kept {
    const NOTHING: Self = Self { counters: 0, exceptions: 0, interrupts: 0, translation: 0 };
}
