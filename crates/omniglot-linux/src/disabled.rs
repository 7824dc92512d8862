//! Stands in for the runtimes on other targets: the same names, and a start that reports that there
//! is none.

use std::convert::Infallible;
use std::path::{Path, PathBuf};

use omniglot_core::{Description, Error, Result};

use crate::capabilities::machine::Machine;
use crate::capabilities::requirement::COMPILE_FOR_LINUX;
use crate::options::Options;
use crate::request::Request;
use crate::syscall_policy::SyscallPolicy;

/// A foreign library in a process of its own; not available on this target.
#[derive(Debug)]
pub struct Linux {
    never: Infallible,
}

/// Nothing is known of this machine, and there is no remedy.
pub(crate) fn look() -> Machine {
    Machine::default()
}

impl SyscallPolicy {
    /// None: this target has no workers.
    #[must_use]
    pub const fn of(_: &str) -> Option<Self> {
        None
    }
}

/// There is nothing to try.
pub(crate) const fn try_process() -> Result<()> {
    Err(NO_WORKERS)
}

/// There is nothing to try.
pub(crate) const fn try_library(_file: &Path, _directories: &[PathBuf]) -> Result<()> {
    Err(NO_WORKERS)
}

const NO_WORKERS: Error = Error::Unsupported {
    what: "worker processes exist only on Linux: with glibc on x86-64 and AArch64, with musl on \
           x86-64",
    remedy: COMPILE_FOR_LINUX,
};

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
        Err(NO_WORKERS)
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

crate::left_out::no_runtime!(Linux, memory: true);
