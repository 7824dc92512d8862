//! The runtime that users get: one of two, as they choose.
#![allow(unsafe_code)]

use std::time::Duration;

use omniglot_core::{
    Calls, Description, Event, Guarantees, IsolationKind, Result, Runtime, Step, Timer, Window,
};

use super::in_process::ProtectionKeys;
use super::instance::Process;
use super::interrupt::InterruptHandle;
use super::timer::TICKS_PER_SECOND;
use crate::{Isolation, Options, Request};

/// A foreign library, isolated as [`Options::isolation`] says.
#[derive(Debug)]
pub struct Linux(Place);

/// Where the library runs.
#[derive(Debug)]
enum Place {
    Process(Box<Process>),
    Keys(Box<ProtectionKeys>),
}

/// Does the same in either place.
macro_rules! in_place {
    ($linux:expr, $place:ident => $what:expr) => {
        match $linux {
            Place::Process($place) => $what,
            Place::Keys($place) => $what,
        }
    };
}

impl Linux {
    /// Loads a library.
    ///
    /// With [`Isolation::Auto`] it runs in a process, also where there are protection keys:
    /// those are experimental, and taken only where [`Isolation::ProtectionKeys`] asks for them.
    ///
    /// # Errors
    /// As [`Process::start`], and where that was asked for as [`ProtectionKeys::start`].
    pub fn start(description: &Description, options: &Options) -> Result<Self> {
        let place = match options.isolation {
            Isolation::Auto | Isolation::Process => {
                Place::Process(Box::new(Process::start(description, options)?))
            }
            Isolation::ProtectionKeys => {
                Place::Keys(Box::new(ProtectionKeys::start(description, options)?))
            }
        };
        Ok(Self(place))
    }

    /// How many loaded workers are ready for resets of this instance and others of its
    /// kind: none before the first reset, unless [`Options::spares`] says otherwise; always
    /// none behind a protection key, whose resets need none.
    #[must_use]
    pub fn warm_spares(&self) -> usize {
        match &self.0 {
            Place::Process(process) => process.warm_spares(),
            Place::Keys(_) => 0,
        }
    }

    /// What the library asked for and was answered with an error: see [`Process::requests`]. Behind
    /// a protection key nobody writes it down.
    ///
    /// # Errors
    /// None today.
    pub fn requests(&self) -> Result<Vec<Request>> {
        match &self.0 {
            Place::Process(process) => process.requests(),
            Place::Keys(_) => Ok(Vec::new()),
        }
    }

    /// The last lines that the library wrote: see [`Process::output`]. Behind a protection key
    /// nobody keeps them.
    ///
    /// # Errors
    /// None today.
    pub fn output(&self) -> Result<String> {
        match &self.0 {
            Place::Process(process) => process.output(),
            Place::Keys(_) => Ok(String::new()),
        }
    }

    /// The id of the process that foreign code runs in, for looking at it: this one, behind
    /// a protection key. A worker's may belong to another process once the worker has ended.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        match &self.0 {
            Place::Process(process) => process.process_id(),
            Place::Keys(_) => std::process::id(),
        }
    }
}

// SAFETY: each method is that of one runtime, the same one for the value's lifetime, whose
// window it is (invariants 1 to 3); and both give the same guarantees.
unsafe impl Runtime for Linux {
    const GUARANTEES: Guarantees =
        Guarantees { memory: true, types: true, aliasing: true, containment: true };
    const TICKS_PER_SECOND: u64 = TICKS_PER_SECOND;
    type InterruptHandle = InterruptHandle;

    #[inline]
    fn window(&self) -> &Window {
        in_place!(&self.0, place => place.window())
    }

    #[inline]
    fn check_alive(&self) -> Result<()> {
        in_place!(&self.0, place => place.check_alive())
    }

    #[inline]
    fn is_concurrent(&self) -> bool {
        in_place!(&self.0, place => place.is_concurrent())
    }

    #[inline]
    fn check_writable(&self, address: usize, len: usize) -> Result<()> {
        in_place!(&self.0, place => place.check_writable(address, len))
    }

    fn exchange(&self) -> (usize, usize) {
        in_place!(&self.0, place => place.exchange())
    }

    #[inline]
    fn shim(&self, index: u32) -> Option<usize> {
        in_place!(&self.0, place => place.shim(index))
    }

    fn trampoline(&self, slot: u32) -> Option<usize> {
        in_place!(&self.0, place => place.trampoline(slot))
    }

    fn isolation(&self) -> IsolationKind {
        in_place!(&self.0, place => place.isolation())
    }

    fn interrupt_handle(&self) -> InterruptHandle {
        in_place!(&self.0, place => place.interrupt_handle())
    }

    fn time_limit(&self) -> Option<Duration> {
        in_place!(&self.0, place => place.time_limit())
    }

    #[inline]
    unsafe fn run(&mut self, step: Step, calls: &mut Calls) -> Result<Event> {
        // SAFETY: the caller is a session of this runtime (core's invariant 11), and so of the one
        // within, which no other reaches.
        in_place!(&mut self.0, place => unsafe { place.run(step, calls) })
    }

    fn kill(&mut self) {
        in_place!(&mut self.0, place => place.kill());
    }

    fn reload(&mut self, calls: &mut Calls) -> Result<()> {
        in_place!(&mut self.0, place => place.reload(calls))
    }

    #[inline]
    fn begin_call(&mut self, number: u64) {
        in_place!(&mut self.0, place => place.begin_call(number));
    }

    #[inline]
    fn end_call(&mut self) {
        in_place!(&mut self.0, place => place.end_call());
    }

    fn limit_changed(&mut self, time: &Timer) {
        in_place!(&mut self.0, place => place.limit_changed(time));
    }
}
