//! The runtimes in the host's own process where there are none, on another target or without the
//! feature: the same names, and a start that says so.

use std::convert::Infallible;

use omniglot_core::{Description, Error, Result};

use crate::options::Options;
use crate::request::Request;

const THERE_IS_NONE: Error = if cfg!(feature = "in-process") {
    Error::Unsupported {
        what: "foreign code runs in the host's process only on x86-64 Linux with glibc",
        remedy: "compile for x86_64-unknown-linux-gnu",
    }
} else {
    Error::Unsupported {
        what: "this program was compiled without runtimes in its own process",
        remedy: "switch the feature on, omniglot = { ..., features = [\"in-process\"] }, or \
                 use Isolation::Process",
    }
};

/// A foreign library in the host's own process, without isolation; here there is no such thing.
#[derive(Debug)]
pub struct Unprotected {
    never: Infallible,
}

impl Unprotected {
    /// Loads a library into this process.
    ///
    /// # Errors
    /// [`Error::Unsupported`] without the feature `in-process`, and on this target.
    ///
    /// # Safety
    /// None is needed to be told so.
    #[allow(unsafe_code)]
    pub const unsafe fn start(_description: &Description, _options: &Options) -> Result<Self> {
        Err(THERE_IS_NONE)
    }
}

/// A foreign library in the host's process, behind a protection key; here there is no such thing.
#[derive(Debug)]
pub struct ProtectionKeys {
    never: Infallible,
}

impl ProtectionKeys {
    /// Loads a library into this process.
    ///
    /// # Errors
    /// [`Error::Unsupported`] without the feature `in-process`, and on this target.
    pub const fn start(_description: &Description, _options: &Options) -> Result<Self> {
        Err(THERE_IS_NONE)
    }

    /// What this program lacks for it.
    ///
    /// # Errors
    /// [`Error::Unsupported`] without the feature `in-process`, and on this target.
    pub const fn check() -> Result<()> {
        Err(THERE_IS_NONE)
    }
}

/// Makes a type with a field `never` that can never be a runtime.
macro_rules! no_runtime {
    ($name:ident, memory: $memory:literal) => {
        // SAFETY: there is no value of this type, and so no window that would have to be mapped
        // (invariant 1).
        #[allow(unsafe_code)]
        unsafe impl omniglot_core::Runtime for $name {
            const GUARANTEES: omniglot_core::Guarantees = omniglot_core::Guarantees {
                memory: $memory,
                types: true,
                aliasing: true,
                containment: true,
            };
            const TICKS_PER_SECOND: u64 = 1_000_000_000;
            type InterruptHandle = $crate::InterruptHandle;

            fn window(&self) -> &omniglot_core::Window {
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
            fn isolation(&self) -> omniglot_core::IsolationKind {
                match self.never {}
            }
            unsafe fn run(
                &mut self,
                _step: omniglot_core::Step,
                _calls: &mut omniglot_core::Calls,
            ) -> omniglot_core::Result<omniglot_core::Event> {
                match self.never {}
            }
            fn kill(&mut self) {
                match self.never {}
            }
            fn interrupt_handle(&self) -> $crate::InterruptHandle {
                match self.never {}
            }
        }
    };
}

/// A foreign library in the host's process, in memory that its machine code was proved to stay in;
/// here there is no such thing.
#[derive(Debug)]
pub struct Sfi {
    never: Infallible,
}

impl Sfi {
    /// Loads a library into this process.
    ///
    /// # Errors
    /// [`Error::Unsupported`] without the feature `in-process`, and on this target.
    pub const fn start(_description: &Description, _options: &Options) -> Result<Self> {
        Err(THERE_IS_NONE)
    }

    /// What this program lacks for it.
    ///
    /// # Errors
    /// [`Error::Unsupported`] without the feature `in-process`, and on this target.
    pub const fn check() -> Result<()> {
        Err(THERE_IS_NONE)
    }
}

/// What a library with a system-call server in its domain asked for and wrote.
macro_rules! no_world {
    ($name:ident) => {
        impl $name {
            /// What the library asked for and was answered with an error.
            ///
            /// # Errors
            /// None: there is no value to ask.
            pub const fn requests(&self) -> Result<Vec<Request>> {
                match self.never {}
            }

            /// The last lines that the library wrote to its standard output and error.
            ///
            /// # Errors
            /// None: there is no value to ask.
            pub const fn output(&self) -> Result<String> {
                match self.never {}
            }
        }
    };
}

no_world!(Unprotected);
no_world!(ProtectionKeys);
no_world!(Sfi);
no_runtime!(Sfi, memory: true);
no_runtime!(Unprotected, memory: false);
no_runtime!(ProtectionKeys, memory: true);

#[allow(unused_imports, reason = "also for targets without any runtime")]
pub(crate) use no_runtime;
