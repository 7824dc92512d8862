//! The time since start-up, and the timer (SiFive's "Core-Local Interruptor").
#![allow(unsafe_code)]

use crate::mmio::Register;

/// Where the time is (`hw/riscv/virt.c`, `VIRT_CLINT`; offsets as SiFive's).
const TIME: usize = 0x0200_bff8;
/// Where the first hart's comparison register is.
const COMPARE: usize = 0x0200_4000;
/// How fast the time counts.
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
        // SAFETY: the lower half of the time (invariant 2); reading has no effect.
        let low = unsafe { Register::<u32>::new(TIME) };
        // SAFETY: its upper half (invariant 2); reading has no effect.
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

/// When the timer interrupt comes next. As [`wake_at`].
pub(crate) fn next() -> u64 {
    let [low, high] = compare();
    u64::from(high.read()) << 32 | u64::from(low.read())
}

/// Has the timer interrupt come at a time. For the interrupt handler, and before interrupts
/// are on (invariant 1).
pub(crate) fn wake_at(time: u64) {
    let [low, high] = compare();
    // Never a time between the old and the new one (privileged specification, 3.2.1).
    high.write(u32::MAX);
    low.write(time as u32);
    high.write((time >> 32) as u32);
}

/// The two halves of the comparison register.
const fn compare() -> [Register<u32>; 2] {
    // SAFETY: the lower half of the comparison register (invariant 2).
    let low = unsafe { Register::<u32>::new(COMPARE) };
    // SAFETY: its upper half (invariant 2).
    let high = unsafe { Register::<u32>::new(COMPARE + 4) };
    [low, high]
}
