//! What `omniglot-pmp` asks of a kernel, answered by Tock on an RV32 hart with Smepmp.
//!
//! Tock serves an interrupt in two steps: the trap handler only notes it, and its main loop
//! calls the driver. Foreign code is called from capsules, so from the main loop, with
//! interrupts on. When one arrives in foreign code, the gate goes back to the kernel, where
//! Tock's own handler takes and notes it, and foreign code goes on; the driver has its turn
//! when the capsule has returned. So there is nothing to do here when an interrupt comes.
//!
//! A time limit needs an interrupt of its own, and the hart has one timer, on which all of
//! Tock's alarms are. While foreign code runs none of them can be served anyway, so the
//! timer is set to the limit then, and set back afterwards: an alarm that fell due
//! meanwhile goes off at once.
#![no_std]

use core::fmt;

use kernel::hil::time::{Alarm, Frequency, Ticks64};
use kernel::utilities::registers::interfaces::{ReadWriteable, Readable};
use omniglot_pmp::{After, Kernel};
use rv32i::csr::{CSR, mie::mie};
use rv32i::support::with_interrupts_disabled;

/// The hart that Tock runs on.
///
/// `A` is Tock's driver of the hart's machine timer, which counts `HERTZ` ticks a second.
pub struct TockHart<A, const HERTZ: u64> {
    timer: fn() -> A,
    set_aside: Option<Alarmed>,
}

/// What the timer was set to.
#[derive(Clone, Copy, Debug)]
struct Alarmed {
    /// When it is to go off, if at all.
    at: Option<u64>,
    /// Whether the hart takes its interrupt.
    is_enabled: bool,
}

impl<A, const HERTZ: u64> fmt::Debug for TockHart<A, HERTZ> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("TockHart").field("set_aside", &self.set_aside).finish_non_exhaustive()
    }
}

impl<A: Alarm<'static, Ticks = Ticks64>, const HERTZ: u64> TockHart<A, HERTZ> {
    /// Lends the hart to a foreign library. `timer` makes a driver of the machine timer, of
    /// its own and without a client.
    ///
    /// `None` if the timer's frequency is not `HERTZ`.
    ///
    /// # Safety
    /// - Tock protects itself with `KernelProtectionMMLEPMP`, set up before this call, with
    ///   16 entries and at least two regions for processes: entries 2 to 4 are theirs, and
    ///   are not on while a capsule runs.
    /// - Foreign libraries are called from Tock's main loop only, so from capsules: neither
    ///   by a trap handler nor by a process.
    /// - No device copies to or from a library's region by itself.
    #[allow(unsafe_code)]
    #[must_use]
    pub unsafe fn new(timer: fn() -> A) -> Option<Self> {
        let fits = u64::from(A::Frequency::frequency()) == HERTZ;
        fits.then_some(Self { timer, set_aside: None })
    }
}

// SAFETY: Tock runs in machine mode on one hart. Its main loop never runs with entries of
// processes on, and it locks its own entries before any capsule exists; with lockdown those
// are for machine mode alone. That they hold is `new`'s promise, as is that nobody else uses
// the regions.
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
            // What is in the past goes off at once.
            Some(at) => timer.set_alarm(now, Ticks64::from(at.saturating_sub(now.into_u64()))),
            // The machine timer can always be turned off.
            None => {
                let _ = timer.disarm();
            }
        }
        CSR.mie.modify(if self.is_enabled { mie::mtimer::SET } else { mie::mtimer::CLEAR });
    }
}
