//! Stands in for the runtimes on other targets: the same names, and a start that reports that there
//! is none.

use std::convert::Infallible;

use omniglot_core::{
    Calls, Description, Error, Event, Guarantees, IsolationKind, Result, Runtime, Step, Window,
};

use crate::{Options, Request};

/// A foreign library in a process of its own; not available on this target.
#[derive(Debug)]
pub struct Linux {
    never: Infallible,
}

/// Nothing is known of this machine, and there is no remedy.
pub(crate) fn look() -> crate::Machine {
    crate::Machine::default()
}

/// Interrupts the call that an instance is running, from any thread.
#[derive(Clone, Debug)]
pub struct InterruptHandle {
    never: Infallible,
}

impl InterruptHandle {
    /// Ends the call that runs now.
    pub fn interrupt(&self) {
        match self.never {}
    }
}

impl Linux {
    /// Loads a library in a fresh worker process.
    ///
    /// # Errors
    /// [`Error::Unsupported`] on this target.
    pub fn start(_description: &Description, _options: &Options) -> Result<Self> {
        Err(Error::Unsupported {
            what: "worker processes exist only on x86-64 Linux with glibc",
            remedy: "compile for x86_64-unknown-linux-gnu",
        })
    }

    /// The worker's process id.
    #[must_use]
    pub const fn process_id(&self) -> u32 {
        match self.never {}
    }

    /// What the library asked for and was answered with an error.
    ///
    /// # Errors
    /// None.
    pub fn requests(&self) -> Result<Vec<Request>> {
        match self.never {}
    }

    /// The last lines that the library wrote.
    ///
    /// # Errors
    /// None.
    pub fn output(&self) -> Result<String> {
        match self.never {}
    }

    /// How many loaded workers are ready for resets.
    #[must_use]
    pub fn warm_spares(&self) -> usize {
        match self.never {}
    }
}

// SAFETY: there is no value of this type, and so no window that would have to be mapped
// (invariant 1).
#[allow(unsafe_code)]
unsafe impl Runtime for Linux {
    const GUARANTEES: Guarantees =
        Guarantees { memory: true, types: true, aliasing: true, containment: true };
    const TICKS_PER_SECOND: u64 = 1_000_000_000;
    type InterruptHandle = InterruptHandle;

    fn window(&self) -> &Window {
        match self.never {}
    }
    fn is_concurrent(&self) -> bool {
        match self.never {}
    }
    fn exchange(&self) -> (usize, usize) {
        match self.never {}
    }
    fn shim(&self, _index: u32) -> Option<usize> {
        match self.never {}
    }
    fn trampoline(&self, _slot: u32) -> Option<usize> {
        match self.never {}
    }
    fn isolation(&self) -> IsolationKind {
        match self.never {}
    }
    unsafe fn run(&mut self, _step: Step, _calls: &mut Calls) -> Result<Event> {
        match self.never {}
    }
    fn kill(&mut self) {
        match self.never {}
    }
    fn interrupt_handle(&self) -> InterruptHandle {
        match self.never {}
    }
}

/// A foreign library in the host's own process, without isolation; on this target there is
/// no such thing.
#[derive(Debug)]
pub struct Unprotected {
    never: Infallible,
}

impl Unprotected {
    /// Loads a library into this process.
    ///
    /// # Errors
    /// [`Error::Unsupported`] on this target.
    ///
    /// # Safety
    /// None is needed to be told so.
    #[allow(unsafe_code)]
    pub unsafe fn start(_description: &Description, _options: &Options) -> Result<Self> {
        Err(Error::Unsupported {
            what: "foreign code runs in the host's process only on x86-64 Linux with glibc",
            remedy: "compile for x86_64-unknown-linux-gnu",
        })
    }
}

/// A foreign library in the host's process, in memory that its machine code was proved to stay in;
/// on this target there is no such thing.
#[derive(Debug)]
pub struct Sfi {
    never: Infallible,
}

impl Sfi {
    /// Loads a library into this process.
    ///
    /// # Errors
    /// [`Error::Unsupported`] on this target.
    pub fn start(_description: &Description, _options: &Options) -> Result<Self> {
        Self::check()?;
        Err(Error::Misuse("a runtime that is not there"))
    }

    /// What this machine lacks for it.
    ///
    /// # Errors
    /// [`Error::Unsupported`] on this target.
    pub const fn check() -> Result<()> {
        Err(Error::Unsupported {
            what: "machine code is verified for x86-64 Linux with glibc only",
            remedy: "compile for x86_64-unknown-linux-gnu",
        })
    }
}

/// A foreign library in the host's process, behind a protection key; on this target there
/// is no such thing.
#[derive(Debug)]
pub struct ProtectionKeys {
    never: Infallible,
}

impl ProtectionKeys {
    /// Loads a library into this process.
    ///
    /// # Errors
    /// [`Error::Unsupported`] on this target.
    pub fn start(_description: &Description, _options: &Options) -> Result<Self> {
        Err(Error::Unsupported {
            what: "protection keys are used only on x86-64 Linux with glibc",
            remedy: "compile for x86_64-unknown-linux-gnu",
        })
    }

    /// What this machine lacks for it.
    ///
    /// # Errors
    /// [`Error::Unsupported`] on this target.
    pub const fn check() -> Result<()> {
        Err(Error::Unsupported {
            what: "protection keys are used only on x86-64 Linux with glibc",
            remedy: "compile for x86_64-unknown-linux-gnu",
        })
    }
}
