//! Interrupts: the timer ticks, and devices wake the hart.
#![allow(unsafe_code)]

use core::sync::atomic::{AtomicU32, Ordering};

use riscv::interrupt::Interrupt;
use riscv::register::mie;

use crate::clock::{Clock, TICKS_PER_SECOND, next, wake_at};
use crate::plic;

/// How often the timer ticks: often enough for time limits and protocols.
const TICKS: u64 = TICKS_PER_SECOND / 100;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// How many timer interrupts there were.
#[must_use]
pub fn ticks() -> u32 {
    COUNT.load(Ordering::Relaxed)
}

/// Starts the timer and lets interrupts in.
pub(crate) fn start() {
    plic::open();
    wake_at(Clock::new().now() + TICKS);
    // SAFETY: its handler is below (invariant 5).
    unsafe { mie::set_mtimer() };
    // SAFETY: as above (invariant 5).
    unsafe { mie::set_mext() };
    // SAFETY: no critical section is open: `Board::take` is at its end (invariant 5).
    unsafe { riscv::interrupt::enable() };
}

#[riscv_rt::core_interrupt(Interrupt::MachineTimer)]
fn tick() {
    COUNT.store(ticks().wrapping_add(1), Ordering::Relaxed);
    // Counted from when it was due, so that a late tick does not delay the next one.
    wake_at(next() + TICKS);
}

/// A device needs attention. The main loop will look at it; until the hart sleeps again, further
/// interrupts of this kind are disabled.
#[riscv_rt::core_interrupt(Interrupt::MachineExternal)]
fn device() {
    // SAFETY: disables an interrupt, which breaks no critical section (invariant 5).
    unsafe { mie::clear_mext() };
}

/// Lets the hart sleep while there is nothing to do.
#[derive(Debug)]
pub struct Idle(());

impl Idle {
    pub(crate) const fn new() -> Self {
        Self(())
    }

    /// To be called before devices are looked at: what comes after this ends the next
    /// [`sleep`](Self::sleep) at once.
    pub fn look(&mut self) {
        plic::acknowledge();
    }

    /// Waits for an interrupt: a device, or the next tick.
    pub fn sleep(&mut self) {
        riscv::interrupt::free(|| {
            // SAFETY: interrupts are off; its handler runs when they are on again (invariant 5).
            unsafe { mie::set_mext() };
            riscv::asm::wfi();
        });
    }
}
