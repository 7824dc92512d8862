//! The capabilities of this machine that the runtimes build on.
//!
//! [`Machine::this`] looks once. The [`Requirement`]s of each runtime are the one list of what it
//! needs: `ProtectionKeys::check` and `ProtectionKeys::start` go by it, and `omniglot doctor`
//! prints it, with [`Machine::choice`], which is what `Isolation::Auto` stands for.

mod choice;
pub(crate) mod machine;
pub(crate) mod requirement;
mod this;

pub use choice::Choice;
pub use machine::{Kernel, KeyTrial, Machine, Mechanisms, MemfdExec, Processor};
pub use requirement::Requirement;

use std::path::{Path, PathBuf};

use omniglot_core::Result;

#[cfg(not(worker_processes))]
use crate::disabled::{try_library, try_process};
#[cfg(worker_processes)]
use crate::enabled::trial::{try_library, try_process};

impl Machine {
    /// Runs a library with nothing in it in a worker process, with a call and a reset. What probes
    /// cannot tell, such as limits of resources and filters of containers, shows here.
    ///
    /// It takes as long as a start of an instance and another for the reset: some milliseconds.
    ///
    /// ```
    /// if let Err(error) = omniglot_linux::Machine::try_process() {
    ///     eprintln!("libraries cannot be run here: {error}");
    /// }
    /// ```
    ///
    /// # Errors
    /// As `Process::start`, and those of a call and a reset.
    pub fn try_process() -> Result<()> {
        try_process()
    }

    /// Loads a shared library in a process, with nothing granted, and ends it again. Its
    /// constructors run there, contained as all foreign code is.
    ///
    /// `directories` are searched for the libraries that it needs, before the system's. What it
    /// asked for and did not get is added to the file that the environment variable
    /// `OMNIGLOT_LEARN` names, if there is one, as `omniglot learn` reads it.
    ///
    /// ```no_run
    /// use std::path::Path;
    ///
    /// if let Err(error) = omniglot_linux::Machine::try_library(Path::new("libproj.so.25"), &[]) {
    ///     eprintln!("it does not start: {error}");
    /// }
    /// ```
    ///
    /// # Errors
    /// As `Process::start`: what the library needs is missing, a constructor failed or took too
    /// long, or this machine cannot run workers ([`try_process`](Self::try_process) tells).
    pub fn try_library(file: &Path, directories: &[PathBuf]) -> Result<()> {
        try_library(file, directories)
    }
}
