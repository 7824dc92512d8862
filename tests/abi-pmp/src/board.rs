//! The parts of QEMU's board `virt` that this kernel needs: its serial line, its timer, the device
//! that stops the machine, and what omniglot-pmp requires of a kernel.
#![allow(unsafe_code)]

#[path = "../../pmp/src/devices.rs"]
pub(crate) mod devices;

use omniglot_pmp::{After, ForeignRegion, Kernel};
use riscv::interrupt::Interrupt;

pub(crate) use devices::finish;
use devices::{TICKS_PER_SECOND, now, set_timer};

/// Handles the timer interrupt, which is needed only once.
#[riscv_rt::core_interrupt(Interrupt::MachineTimer)]
fn timer() {
    set_timer(u64::MAX);
}

/// Enables the timer interrupt, and interrupts.
pub(crate) fn interrupts_on() {
    set_timer(u64::MAX);
    // SAFETY: this interrupt has a handler, above.
    unsafe { riscv::register::mie::set_mtimer() };
    // SAFETY: no critical section is open.
    unsafe { riscv::interrupt::enable() };
}

/// This board, for omniglot-pmp.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Board;

// SAFETY: the board has one hart in machine mode, with 16 PMP entries, none of which is locked, and
// without Smepmp. No device uses DMA.
unsafe impl Kernel for Board {
    const FIRST_ENTRY: usize = 1;
    const TICKS_PER_SECOND: u64 = TICKS_PER_SECOND;

    fn now(&mut self) -> u64 {
        now()
    }

    fn wake_at(&mut self, time: Option<u64>) {
        riscv::interrupt::free(|| set_timer(time.unwrap_or(u64::MAX)));
    }

    fn interrupt(&mut self, _number: u32) -> After {
        After::Continue
    }
}

/// Returns the memory of the only domain (`tests/abi/build/main.rs`).
///
/// # Safety
/// There is no domain in it now.
pub(crate) unsafe fn region() -> ForeignRegion {
    // SAFETY: memory.x keeps the kernel out of it, and the caller keeps other domains out.
    unsafe { ForeignRegion::new(0x8600_0000, 8 << 20) }
}
