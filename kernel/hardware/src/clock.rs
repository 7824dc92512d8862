//! The time since start-up, and the timer (SiFive's "Core-Local Interruptor").
#![allow(unsafe_code)]

use crate::mmio::Register;

/// Address of the time (`hw/riscv/virt.c`, `VIRT_CLINT`; offsets as SiFive's).
const TIME: usize = 0x0200_bff8;
/// Address of the first hart's comparison register.
const COMPARE: usize = 0x0200_4000;
/// Frequency of the timer, in ticks per second.
pub const TICKS_PER_SECOND: u64 = 10_000_000;

/// The board's clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock(());

impl Clock {
    pub(crate) const fn new() -> Self {
        Self(())
    }

    /// Ticks since the machine was started.
    #[must_use]
    pub fn now(&self) -> u64 {
        // SAFETY: this is the lower half of the time (invariant 2). Reading it has no effect.
        let low = unsafe { Register::<u32>::new(TIME) };
        // SAFETY: this is its upper half (invariant 2). Reading it has no effect.
        let high = unsafe { Register::<u32>::new(TIME + 4) };
        loop {
            let before = high.read();
            let value = low.read();
            if high.read() == before {
                return u64::from(before) << 32 | u64::from(value);
            }
        }
    }

    /// Milliseconds since the machine was started.
    #[must_use]
    pub fn milliseconds(&self) -> u64 {
        self.now() / (TICKS_PER_SECOND / 1000)
    }
}

/// When the next timer interrupt is due, as [`wake_at`] has set it.
pub(crate) fn next() -> u64 {
    let [low, high] = compare();
    u64::from(high.read()) << 32 | u64::from(low.read())
}

/// Schedules the next timer interrupt. Only the interrupt handler may call this once interrupts are
/// enabled (invariant 1).
pub(crate) fn wake_at(time: u64) {
    let [low, high] = compare();
    // In this order, the register never holds a time between the old and the new one (privileged
    // specification, 3.2.1).
    high.write(u32::MAX);
    low.write(time as u32);
    high.write((time >> 32) as u32);
}

/// Returns the two halves of the comparison register.
const fn compare() -> [Register<u32>; 2] {
    // SAFETY: the lower half of the comparison register (invariant 2).
    let low = unsafe { Register::<u32>::new(COMPARE) };
    // SAFETY: its upper half (invariant 2).
    let high = unsafe { Register::<u32>::new(COMPARE + 4) };
    [low, high]
}
