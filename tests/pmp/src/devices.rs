//! The devices of QEMU's board `virt` that test programs use: its serial line, its timer, and the
//! device that stops the machine, also when the test program itself fails.

use core::fmt;

/// The addresses of the devices' registers (QEMU, `hw/riscv/virt.c`).
pub(crate) mod address {
    /// Writing here stops the machine (`hw/misc/sifive_test.c`).
    pub(crate) const FINISHER: usize = 0x10_0000;
    /// The timer and inter-processor interrupts.
    pub(crate) const CLINT: usize = 0x200_0000;
    /// The time of the next timer interrupt.
    pub(crate) const TIMER_COMPARE: usize = CLINT + 0x4000;
    /// The time.
    pub(crate) const TIMER: usize = CLINT + 0xbff8;
    /// The serial line.
    pub(crate) const SERIAL: usize = 0x1000_0000;
}

/// Frequency of the timer.
pub(crate) const TICKS_PER_SECOND: u64 = 10_000_000;

fn write32(address: usize, value: u32) {
    // SAFETY: the addresses above are those of registers that accept any word.
    unsafe { core::ptr::with_exposed_provenance_mut::<u32>(address).write_volatile(value) };
}

pub(crate) fn read32(address: usize) -> u32 {
    // SAFETY: the addresses above are those of registers; reading these has no side effect.
    unsafe { core::ptr::with_exposed_provenance::<u32>(address).read_volatile() }
}

/// The serial line, for writing.
#[derive(Debug)]
pub(crate) struct Serial;

impl fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            let register = core::ptr::with_exposed_provenance_mut::<u8>(address::SERIAL);
            // SAFETY: this is the transmit register of a device that is always ready in QEMU.
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
            &mut $crate::board::devices::Serial,
            format_args!("{}\n", format_args!($($argument)*)),
        );
    }};
}

/// Stops the machine.
pub(crate) fn finish(success: bool) -> ! {
    write32(address::FINISHER, if success { 0x5555 } else { 1 << 16 | 0x3333 });
    loop {
        core::hint::spin_loop();
    }
}

/// Returns the time in ticks since the machine started.
pub(crate) fn now() -> u64 {
    loop {
        let high = read32(address::TIMER + 4);
        let low = read32(address::TIMER);
        if read32(address::TIMER + 4) == high {
            return u64::from(high) << 32 | u64::from(low);
        }
    }
}

/// Sets the time of the next timer interrupt.
pub(crate) fn set_timer(time: u64) {
    // The low half is at its maximum meanwhile, so no half-written time is in the past.
    write32(address::TIMER_COMPARE, u32::MAX);
    write32(address::TIMER_COMPARE + 4, (time >> 32) as u32);
    write32(address::TIMER_COMPARE, time as u32);
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    say!("the kernel panicked: {info}");
    finish(false)
}

/// Handles a trap of the kernel itself for which there is no other handler.
#[unsafe(export_name = "ExceptionHandler")]
#[allow(unsafe_code)]
fn exception(_: &riscv_rt::TrapFrame) -> ! {
    let (cause, address) = (riscv::register::mcause::read(), riscv::register::mepc::read());
    say!("the kernel faulted: {cause:?} at {address:#x}, {:#x}", riscv::register::mtval::read());
    finish(false)
}
