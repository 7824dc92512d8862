//! Interrupts: the timer ticks, and devices wake the hart up.
#![allow(unsafe_code)]

use core::sync::atomic::{AtomicU32, Ordering};

use riscv::interrupt::Interrupt;
use riscv::register::mie;

use crate::clock::{Clock, TICKS_PER_SECOND, next, wake_at};
use crate::plic;

/// Period of the timer, which is short enough for time limits and protocols.
const TICKS: u64 = TICKS_PER_SECOND / 100;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Returns the number of timer interrupts so far.
#[must_use]
pub fn ticks() -> u32 {
    COUNT.load(Ordering::Relaxed)
}

/// Starts the timer and enables interrupts.
pub(crate) fn start() {
    plic::open();
    wake_at(Clock::new().now() + TICKS);
    // SAFETY: this interrupt has a handler, below (invariant 5).
    unsafe { mie::set_mtimer() };
    // SAFETY: this interrupt has a handler, below (invariant 5).
    unsafe { mie::set_mext() };
    // SAFETY: no critical section is open, since `Board::take` calls this last (invariant 5).
    unsafe { riscv::interrupt::enable() };
}

#[riscv_rt::core_interrupt(Interrupt::MachineTimer)]
fn tick() {
    COUNT.store(ticks().wrapping_add(1), Ordering::Relaxed);
    // Counted from when the tick was due, so that a late tick does not delay the next one.
    wake_at(next() + TICKS);
}

/// Handles an external interrupt by disabling it. The main loop looks at the devices; the interrupt
/// is enabled again when the hart sleeps.
#[riscv_rt::core_interrupt(Interrupt::MachineExternal)]
fn device() {
    // SAFETY: this disables an interrupt, which breaks no critical section (invariant 5).
    unsafe { mie::clear_mext() };
}

/// Lets the hart sleep while there is nothing to do.
#[derive(Debug)]
pub struct Idle(());

impl Idle {
    pub(crate) const fn new() -> Self {
        Self(())
    }

    /// Call this before looking at devices. Whatever happens afterwards ends the next
    /// [`sleep`](Self::sleep) at once.
    pub fn look(&mut self) {
        plic::acknowledge();
    }

    /// Waits for an interrupt of a device or of the timer.
    pub fn sleep(&mut self) {
        riscv::interrupt::free(|| {
            // SAFETY: interrupts are off; the handler runs once they are on again (invariant 5).
            unsafe { mie::set_mext() };
            riscv::asm::wfi();
        });
    }
}
