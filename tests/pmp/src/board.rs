//! QEMU's board `virt`: its serial line, its timer, the device that ends the machine, and
//! what omniglot-pmp asks of a kernel. All unsafe code of this kernel is here.
#![allow(unsafe_code)]

use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use omniglot_pmp::{After, ForeignRegion, Kernel};
use riscv::interrupt::Interrupt;

/// The registers of the devices (QEMU, `hw/riscv/virt.c`).
pub(crate) mod address {
    /// Writing here ends the machine (`hw/misc/sifive_test.c`).
    pub(crate) const FINISHER: usize = 0x10_0000;
    /// The timer and inter-processor interrupts.
    pub(crate) const CLINT: usize = 0x200_0000;
    /// When the timer interrupt comes.
    pub(crate) const TIMER_COMPARE: usize = CLINT + 0x4000;
    /// The time.
    pub(crate) const TIMER: usize = CLINT + 0xbff8;
    /// The interrupt controller of devices.
    pub(crate) const PLIC: usize = 0xc00_0000;
    /// The serial line.
    pub(crate) const SERIAL: usize = 0x1000_0000;
}

/// Ticks of the timer in a second.
pub(crate) const TICKS_PER_SECOND: u64 = 10_000_000;

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

/// The time in ticks since the machine started.
pub(crate) fn now() -> u64 {
    loop {
        let high = read32(address::TIMER + 4);
        let low = read32(address::TIMER);
        if read32(address::TIMER + 4) == high {
            return u64::from(high) << 32 | u64::from(low);
        }
    }
}

/// A time in two halves, since the hart has no 64-bit atomics. Only used with interrupts
/// off, or by the handler.
struct Time([AtomicU32; 2]);

impl Time {
    const fn never() -> Self {
        Self([AtomicU32::new(u32::MAX), AtomicU32::new(u32::MAX)])
    }
    fn get(&self) -> u64 {
        let [low, high] = &self.0;
        u64::from(high.load(Ordering::Relaxed)) << 32 | u64::from(low.load(Ordering::Relaxed))
    }
    fn set(&self, time: u64) {
        let [low, high] = &self.0;
        low.store(time as u32, Ordering::Relaxed);
        high.store((time >> 32) as u32, Ordering::Relaxed);
    }
}

/// When foreign code has to stop.
static DEADLINE: Time = Time::never();
/// When the next tick of the kernel's own clock is due.
static NEXT_TICK: Time = Time::never();
static PERIOD: AtomicU32 = AtomicU32::new(0);
static TICKS: AtomicU32 = AtomicU32::new(0);
static STOP: AtomicBool = AtomicBool::new(false);

/// Has the timer interrupt come at the next of the two times.
fn set_timer() {
    let time = DEADLINE.get().min(NEXT_TICK.get());
    // The low half at its highest meanwhile: no half-written time is in the past.
    write32(address::TIMER_COMPARE, u32::MAX);
    write32(address::TIMER_COMPARE + 4, (time >> 32) as u32);
    write32(address::TIMER_COMPARE, time as u32);
}

/// The kernel's own handler of the timer interrupt.
#[riscv_rt::core_interrupt(Interrupt::MachineTimer)]
fn timer() {
    let now = now();
    if now >= NEXT_TICK.get() {
        TICKS.store(TICKS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        NEXT_TICK.set(now + u64::from(PERIOD.load(Ordering::Relaxed)));
    }
    if now >= DEADLINE.get() {
        DEADLINE.set(u64::MAX);
    }
    set_timer();
}

/// Starts the kernel's own clock, with a tick every so often.
pub(crate) fn start_clock(period: u32) {
    riscv::interrupt::free(|| {
        PERIOD.store(period, Ordering::Relaxed);
        TICKS.store(0, Ordering::Relaxed);
        NEXT_TICK.set(now() + u64::from(period));
        set_timer();
    });
}

/// Stops the kernel's own clock, and says how many ticks there were.
pub(crate) fn stop_clock() -> u32 {
    riscv::interrupt::free(|| {
        NEXT_TICK.set(u64::MAX);
        set_timer();
    });
    TICKS.load(Ordering::Relaxed)
}

/// Whether the next interrupt in foreign code is to end the call.
pub(crate) fn stop_at_next_interrupt(stop: bool) {
    STOP.store(stop, Ordering::Relaxed);
}

/// Turns on the timer interrupt, and interrupts.
pub(crate) fn interrupts_on() {
    set_timer();
    // SAFETY: the handler above is ready for it.
    unsafe { riscv::register::mie::set_mtimer() };
    // SAFETY: no critical section is left by this.
    unsafe { riscv::interrupt::enable() };
}

/// This board, for omniglot-pmp.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Board;

// SAFETY: one hart in machine mode, with 16 PMP entries and without Smepmp; entry 0 is the
// only one that is locked, before any domain starts. No device uses DMA.
unsafe impl Kernel for Board {
    const FIRST_ENTRY: usize = 1;
    const TICKS_PER_SECOND: u64 = TICKS_PER_SECOND;

    fn now(&mut self) -> u64 {
        now()
    }

    fn wake_at(&mut self, time: Option<u64>) {
        riscv::interrupt::free(|| {
            DEADLINE.set(time.unwrap_or(u64::MAX));
            set_timer();
        });
    }

    fn interrupt(&mut self, _number: u32) -> After {
        if STOP.load(Ordering::Relaxed) { After::Stop } else { After::Continue }
    }
}

/// The memory of the domain of the conformance library (tests/conformance/build.rs).
///
/// # Safety
/// There is no domain in it now.
pub(crate) unsafe fn conformance_region() -> ForeignRegion {
    // SAFETY: memory.x keeps the kernel out of it; the caller keeps other domains out.
    unsafe { ForeignRegion::new(0x8400_0000, 6 << 20) }
}
