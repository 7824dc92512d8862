//! Implements `omniglot-pmp`'s `Kernel` for Tock, on an RV32 hart with Smepmp.
//!
//! Tock serves an interrupt in two steps: the trap handler only records it, and the main loop calls
//! the driver. Foreign code is called from capsules, that is, from the main loop, with interrupts
//! enabled. If an interrupt arrives in foreign code, the gate returns to the kernel, Tock's own
//! handler records it, and foreign code continues. The driver runs after the capsule has returned.
//! So there is nothing to do here when an interrupt arrives.
//!
//! A time limit needs a timer interrupt of its own, but the hart has only one timer, which serves
//! all of Tock's alarms. None of them can be served while foreign code runs, so the timer is set to
//! the limit meanwhile, and restored afterwards. An alarm that became due in between fires at once.
#![no_std]

use core::fmt;

use kernel::hil::time::{Alarm, Frequency, Ticks64};
use kernel::utilities::registers::interfaces::{ReadWriteable, Readable};
use omniglot_pmp::{After, Kernel};
use rv32i::csr::{CSR, mie::mie};
use rv32i::support::with_interrupts_disabled;

/// The hart that Tock runs on.
///
/// `A` is Tock's driver of the hart's machine timer, which counts `HERTZ` ticks per second.
pub struct TockHart<A, const HERTZ: u64> {
    timer: fn() -> A,
    set_aside: Option<Alarmed>,
}

/// The timer's former setting.
#[derive(Clone, Copy, Debug)]
struct Alarmed {
    /// The time of the next interrupt, if one is set.
    at: Option<u64>,
    /// True if the hart's timer interrupt is enabled.
    is_enabled: bool,
}

impl<A, const HERTZ: u64> fmt::Debug for TockHart<A, HERTZ> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("TockHart").field("set_aside", &self.set_aside).finish_non_exhaustive()
    }
}

impl<A: Alarm<'static, Ticks = Ticks64>, const HERTZ: u64> TockHart<A, HERTZ> {
    /// Makes the hart available to a foreign library. `timer` makes another driver of the machine
    /// timer, without a client.
    ///
    /// Returns `None` if the timer's frequency is not `HERTZ`.
    ///
    /// # Safety
    /// - Tock protects itself with `KernelProtectionMMLEPMP`, set up before this call, with 16
    ///   entries and at least two regions for processes: entries 2 to 4 belong to those, and are
    ///   off while a capsule runs.
    /// - Foreign libraries are called only from Tock's main loop, that is, from capsules: not by a
    ///   trap handler, and not by a process.
    /// - No device accesses a library's region by DMA.
    #[allow(unsafe_code)]
    #[must_use]
    pub unsafe fn new(timer: fn() -> A) -> Option<Self> {
        let fits = u64::from(A::Frequency::frequency()) == HERTZ;
        fits.then_some(Self { timer, set_aside: None })
    }
}

// SAFETY: Tock runs in machine mode on one hart. Its main loop never runs while entries of
// processes are on, and it locks its own entries before any capsule exists; with lockdown those are
// for machine mode alone. The caller of `new` guarantees this, and that nothing else uses the
// regions.
#[allow(unsafe_code)]
unsafe impl<A, const HERTZ: u64> Kernel for TockHart<A, HERTZ>
where
    A: Alarm<'static, Ticks = Ticks64> + 'static,
{
    /// The first of the entries that Tock uses for processes.
    const FIRST_ENTRY: usize = 2;
    const LOCKDOWN: bool = true;
    const TICKS_PER_SECOND: u64 = HERTZ;

    fn now(&mut self) -> u64 {
        (self.timer)().now().into_u64()
    }

    fn wake_at(&mut self, time: Option<u64>) {
        let timer = (self.timer)();
        with_interrupts_disabled(|| match time {
            Some(time) => {
                self.set_aside.get_or_insert_with(|| Alarmed::read(&timer));
                Alarmed { at: Some(time), is_enabled: true }.write(&timer);
            }
            None => {
                let before = self.set_aside.take();
                before.into_iter().for_each(|alarmed| alarmed.write(&timer));
            }
        });
    }

    fn interrupt(&mut self, _: u32) -> After {
        After::Continue
    }
}

impl Alarmed {
    fn read<A: Alarm<'static, Ticks = Ticks64>>(timer: &A) -> Self {
        Self {
            at: timer.is_armed().then(|| timer.get_alarm().into_u64()),
            is_enabled: CSR.mie.is_set(mie::mtimer),
        }
    }

    fn write<A: Alarm<'static, Ticks = Ticks64>>(self, timer: &A) {
        let now = timer.now();
        match self.at {
            // An alarm in the past fires at once.
            Some(at) => timer.set_alarm(now, Ticks64::from(at.saturating_sub(now.into_u64()))),
            // Turning the machine timer off cannot fail.
            None => {
                let _ = timer.disarm();
            }
        }
        CSR.mie.modify(if self.is_enabled { mie::mtimer::SET } else { mie::mtimer::CLEAR });
    }
}
