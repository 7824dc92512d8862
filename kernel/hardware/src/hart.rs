//! The kernel's implementation of `omniglot-pmp`'s `Kernel`.
#![allow(unsafe_code)]

use omniglot_pmp::{After, Kernel};

use crate::clock::{Clock, TICKS_PER_SECOND};

/// The one hart. Interrupts are enabled when foreign code is called, so the kernel's own handlers
/// serve those that occur meanwhile. The timer ticks often enough for time limits.
#[derive(Clone, Copy, Debug)]
pub struct Hart(());

impl Hart {
    pub(crate) const fn new() -> Self {
        Self(())
    }
}

// SAFETY: the kernel runs in machine mode on one hart, which QEMU gives user mode and 16 PMP
// entries (invariant 2). This kernel uses the first itself (`guard`), locks it before the first
// domain starts, and locks no other. Those behind the fourth are off, as they are after a reset
// (privileged specification, section 3.4), since nothing writes them. Smepmp is off, and misa lists
// the hart's extensions. Only foreign code runs in user mode, and nothing runs in supervisor mode.
// Nothing here writes mcounteren, medeleg, mideleg or satp. No device gets access to foreign memory
// (invariant 4). QEMU's board has no non-maskable interrupt.
unsafe impl Kernel for Hart {
    // One register configures four entries: fewer entries make a call cheaper.
    const ENTRIES: usize = 4;
    const FIRST_ENTRY: usize = 1;
    const EXCLUSIVE: bool = true;
    const TICKS_PER_SECOND: u64 = TICKS_PER_SECOND;

    fn now(&mut self) -> u64 {
        Clock::new().now()
    }

    fn wake_at(&mut self, _: Option<u64>) {}

    fn interrupt(&mut self, _: u32) -> After {
        After::Continue
    }
}
