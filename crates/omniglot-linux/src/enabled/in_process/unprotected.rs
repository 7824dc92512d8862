//! The runtime without protection.
#![allow(unsafe_code)]

use std::time::Duration;

use omniglot_core::{
    Cause, Description, Event, Guarantees, IsolationKind, Reply, Result, Runtime, Window,
};

use super::super::interrupt::InterruptHandle;
use super::engine::{Engine, Protection};
use crate::Options;

/// A foreign library in the host's own process, on the caller's thread, **without
/// isolation**: it can read and write all of the host's memory.
///
/// It is what protection keys would cost nothing with: a baseline for measurements, and
/// for tests on machines without keys. Nothing selects it but its `unsafe` constructor.
/// Values are checked as everywhere, and what ends a call by accident is still an error of
/// that call: faults, endless loops, `exit`, system calls.
#[derive(Debug)]
pub struct Unprotected {
    engine: Engine,
}

impl Unprotected {
    /// Loads a library in a confined worker process, and moves it into this one: Linux
    /// 5.11 or later, on a processor with FSGSBASE.
    ///
    /// # Errors
    /// As [`Linux::start`](crate::Linux::start).
    ///
    /// # Safety
    /// The library, whatever it is called with, neither reads nor writes memory of the
    /// process outside its own domain, and jumps nowhere else; what it does to the
    /// processor's control registers is what C code compiled for this platform does.
    pub unsafe fn start(description: &Description, options: &Options) -> Result<Self> {
        Ok(Self { engine: Engine::start(description, options, Protection::None)? })
    }

    /// Writes bytes at a foreign address, for those who drive the runtime without
    /// the core's instances.
    ///
    /// # Errors
    /// [`Error::OutOfRange`](omniglot_core::Error::OutOfRange) and
    /// [`Error::ReadOnly`](omniglot_core::Error::ReadOnly) where foreign code may not write.
    pub fn write(&mut self, address: usize, bytes: &[u8]) -> Result<()> {
        self.engine.write(address, bytes)
    }
}

// SAFETY: the window is the engine's memory (invariants 1 to 3). Foreign code runs on the
// caller's thread inside `enter` and `resume` only, which take `&mut self`. That it writes
// no other memory is the promise of who called `start`; types, aliasing and containment
// follow from it, and memory is not claimed.
unsafe impl Runtime for Unprotected {
    const GUARANTEES: Guarantees =
        Guarantees { memory: false, types: true, aliasing: true, containment: true };
    type InterruptHandle = InterruptHandle;

    #[inline]
    fn window(&self) -> &Window {
        self.engine.window()
    }

    #[inline]
    fn check_alive(&self) -> Result<()> {
        self.engine.check_alive()
    }

    fn is_concurrent(&self) -> bool {
        false
    }

    #[inline]
    fn check_writable(&self, address: usize, len: usize) -> Result<()> {
        self.engine.check_writable(address, len)
    }

    fn exchange(&self) -> (usize, usize) {
        self.engine.exchange()
    }

    #[inline]
    fn shim(&self, index: u32) -> Option<usize> {
        self.engine.shim(index)
    }

    fn trampoline(&self, slot: u32) -> Option<usize> {
        self.engine.trampoline(slot)
    }

    #[inline]
    fn enter(&mut self, entry: usize, arguments: usize) -> Result<Event> {
        self.engine.enter(entry, arguments)
    }

    #[inline]
    fn resume(&mut self, reply: Reply) -> Result<Event> {
        self.engine.resume(reply)
    }

    fn abandon(&mut self, cause: Cause) {
        self.engine.abandon(cause);
    }

    fn isolation(&self) -> IsolationKind {
        IsolationKind::Unprotected
    }

    fn begin_operation(&mut self) {
        self.engine.begin_operation();
    }

    fn end_operation(&mut self) {
        self.engine.end_operation();
    }

    fn set_timeout(&mut self, limit: Option<Duration>) {
        self.engine.set_timeout(limit);
    }

    fn reset(&mut self) -> Result<()> {
        self.engine.reset()
    }

    fn interrupt_handle(&self) -> InterruptHandle {
        self.engine.interrupt_handle()
    }
}
