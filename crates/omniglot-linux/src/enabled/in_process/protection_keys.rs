//! The runtime behind protection keys.
#![allow(unsafe_code)]

use std::time::Duration;

use omniglot_core::{
    Cause, Description, Event, Guarantees, IsolationKind, Reply, Result, Runtime, Window,
};

use super::super::interrupt::InterruptHandle;
use super::engine::{Engine, Protection};
use super::keys::check_support;
use crate::Options;

/// A foreign library in the host's process, on the caller's thread, behind a protection
/// key: foreign code can access its own memory only.
///
/// **Experimental**: it was tested on emulated processors only.
/// [`Isolation::Auto`](crate::Isolation::Auto) takes a process instead.
///
/// Needs x86-64 with PKU and FSGSBASE, and Linux 6.12. A process has 15 keys, of which
/// one is for all domains and one for each.
#[derive(Debug)]
pub struct ProtectionKeys {
    engine: Engine,
}

impl ProtectionKeys {
    /// Loads a library in a confined worker process, and moves it into this one, behind
    /// a key.
    ///
    /// # Errors
    /// As [`Linux::start`](crate::Linux::start); [`Error::NoKeyLeft`] if all keys are in
    /// use; [`Error::Unsupported`] if processor, kernel or the process's own code do not
    /// allow it: the text says what.
    ///
    /// [`Error::NoKeyLeft`]: omniglot_core::Error::NoKeyLeft
    /// [`Error::Unsupported`]: omniglot_core::Error::Unsupported
    pub fn start(description: &Description, options: &Options) -> Result<Self> {
        Ok(Self { engine: Engine::start(description, options, Protection::Key)? })
    }

    /// What this machine lacks for it, if anything.
    ///
    /// # Errors
    /// [`Error::Unsupported`](omniglot_core::Error::Unsupported).
    pub fn check() -> Result<()> {
        check_support()
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
// caller's thread inside `enter` and `resume` only, which take `&mut self`, and accesses
// only memory with the domain's key, and to read the shared page (invariant 10).
unsafe impl Runtime for ProtectionKeys {
    const GUARANTEES: Guarantees =
        Guarantees { memory: true, types: true, aliasing: true, containment: true };
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
        IsolationKind::ProtectionKeys
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
