//! The runtime that users get: one of two, as they choose.
#![allow(unsafe_code)]

use std::time::Duration;

use omniglot_core::{
    Cause, Description, Event, Guarantees, IsolationKind, Reply, Result, Runtime, Window,
};

use super::in_process::ProtectionKeys;
use super::instance::Process;
use super::interrupt::InterruptHandle;
use crate::{Isolation, Options};

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

    /// The id of the process that foreign code runs in, for looking at it: this one, behind
    /// a protection key. A worker's may belong to another process once the worker has ended.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        match &self.0 {
            Place::Process(process) => process.process_id(),
            Place::Keys(_) => std::process::id(),
        }
    }

    /// Writes bytes at a foreign address, for those who drive the runtime without
    /// the core's instances.
    ///
    /// # Errors
    /// [`OutOfRange`](omniglot_core::Error::OutOfRange) where there is not room for all in the window, and
    /// [`ReadOnly`](omniglot_core::Error::ReadOnly) where foreign code may not write and shares the host's memory.
    pub fn write(&mut self, address: usize, bytes: &[u8]) -> Result<()> {
        in_place!(&mut self.0, place => place.write(address, bytes))
    }
}

// SAFETY: each method is that of one runtime, the same one for the value's lifetime, and both
// give the same guarantees.
unsafe impl Runtime for Linux {
    const GUARANTEES: Guarantees =
        Guarantees { memory: true, types: true, aliasing: true, containment: true };
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

    #[inline]
    fn enter(&mut self, entry: usize, arguments: usize) -> Result<Event> {
        in_place!(&mut self.0, place => place.enter(entry, arguments))
    }

    #[inline]
    fn resume(&mut self, reply: Reply) -> Result<Event> {
        in_place!(&mut self.0, place => place.resume(reply))
    }

    fn abandon(&mut self, cause: Cause) {
        in_place!(&mut self.0, place => place.abandon(cause));
    }

    fn isolation(&self) -> IsolationKind {
        in_place!(&self.0, place => place.isolation())
    }

    fn begin_operation(&mut self) {
        in_place!(&mut self.0, place => place.begin_operation());
    }

    fn end_operation(&mut self) {
        in_place!(&mut self.0, place => place.end_operation());
    }

    fn set_timeout(&mut self, limit: Option<Duration>) {
        in_place!(&mut self.0, place => place.set_timeout(limit));
    }

    fn reset(&mut self) -> Result<()> {
        in_place!(&mut self.0, place => place.reset())
    }

    fn interrupt_handle(&self) -> InterruptHandle {
        in_place!(&self.0, place => place.interrupt_handle())
    }
}
