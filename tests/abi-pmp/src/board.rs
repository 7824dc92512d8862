//! QEMU's board `virt`, as far as this kernel needs it: its serial line, its timer, the device
//! that ends the machine, and what omniglot-pmp asks of a kernel.
#![allow(unsafe_code)]

use core::fmt;

use omniglot_pmp::{After, ForeignRegion, Kernel};
use riscv::interrupt::Interrupt;

/// The registers of the devices (QEMU, `hw/riscv/virt.c`).
mod address {
    /// Writing here ends the machine (`hw/misc/sifive_test.c`).
    pub(super) const FINISHER: usize = 0x10_0000;
    /// When the timer interrupt comes.
    pub(super) const TIMER_COMPARE: usize = 0x200_4000;
    /// The time.
    pub(super) const TIMER: usize = 0x200_bff8;
    /// The serial line.
    pub(super) const SERIAL: usize = 0x1000_0000;
}

fn write32(address: usize, value: u32) {
    // SAFETY: the addresses above are registers that accept any word.
    unsafe { core::ptr::with_exposed_provenance_mut::<u32>(address).write_volatile(value) };
}

fn read32(address: usize) -> u32 {
    // SAFETY: the addresses above are registers; reading these has no side effect.
    unsafe { core::ptr::with_exposed_provenance::<u32>(address).read_volatile() }
}

/// The serial line, to write to.
#[derive(Debug)]
pub(crate) struct Serial;

impl fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            let register = core::ptr::with_exposed_provenance_mut::<u8>(address::SERIAL);
            // SAFETY: the transmit register of a device that QEMU always has ready.
            unsafe { register.write_volatile(byte) };
        }
        Ok(())
    }
}

/// Writes a line to the serial line.
#[macro_export]
macro_rules! say {
    ($($argument:tt)*) => {{
        let _ = core::fmt::Write::write_fmt(
            &mut $crate::board::Serial,
            format_args!("{}\n", format_args!($($argument)*)),
        );
    }};
}

/// Ends the machine.
pub(crate) fn finish(success: bool) -> ! {
    write32(address::FINISHER, if success { 0x5555 } else { 1 << 16 | 0x3333 });
    loop {
        core::hint::spin_loop();
    }
}

/// Has the timer interrupt come at a time.
fn set_timer(time: u64) {
    // The low half at its highest meanwhile: no half-written time is in the past.
    write32(address::TIMER_COMPARE, u32::MAX);
    write32(address::TIMER_COMPARE + 4, (time >> 32) as u32);
    write32(address::TIMER_COMPARE, time as u32);
}

/// The time has come: once is enough.
#[riscv_rt::core_interrupt(Interrupt::MachineTimer)]
fn timer() {
    set_timer(u64::MAX);
}

/// Turns on the timer interrupt, and interrupts.
pub(crate) fn interrupts_on() {
    set_timer(u64::MAX);
    // SAFETY: the handler above is ready for it.
    unsafe { riscv::register::mie::set_mtimer() };
    // SAFETY: no critical section is left by this.
    unsafe { riscv::interrupt::enable() };
}

/// This board, for omniglot-pmp.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Board;

// SAFETY: one hart in machine mode, with 16 PMP entries and without Smepmp; none is locked. No
// device uses DMA.
unsafe impl Kernel for Board {
    const FIRST_ENTRY: usize = 1;
    const TICKS_PER_SECOND: u64 = 10_000_000;

    fn now(&mut self) -> u64 {
        loop {
            let high = read32(address::TIMER + 4);
            let low = read32(address::TIMER);
            if read32(address::TIMER + 4) == high {
                return u64::from(high) << 32 | u64::from(low);
            }
        }
    }

    fn wake_at(&mut self, time: Option<u64>) {
        riscv::interrupt::free(|| set_timer(time.unwrap_or(u64::MAX)));
    }

    fn interrupt(&mut self, _number: u32) -> After {
        After::Continue
    }
}

/// The memory of the one domain that there is at a time (`tests/abi/build/main.rs`).
///
/// # Safety
/// There is no domain in it now.
pub(crate) unsafe fn region() -> ForeignRegion {
    // SAFETY: memory.x keeps the kernel out of it; the caller keeps other domains out.
    unsafe { ForeignRegion::new(0x8600_0000, 8 << 20) }
}
