//! The runtime that users get: one of three, as they choose.
#![allow(unsafe_code)]

use std::time::Duration;

use omniglot_core::{
    Calls, Description, Error, Event, Guarantees, IsolationKind, Result, Runtime, SANDBOXED, Step,
    Timer, Window,
};

use super::in_process::{ProtectionKeys, Sfi};
use super::instance::Process;
use super::interrupt::InterruptHandle;
use super::timer::TICKS_PER_SECOND;
use crate::options::{Isolation, Options};
use crate::request::Request;

/// A foreign library, isolated as [`Options::isolation`] says.
#[derive(Debug)]
pub struct Linux(Backend);

/// Where the library runs.
#[derive(Debug)]
enum Backend {
    Process(Box<Process>),
    Keys(Box<ProtectionKeys>),
    Sfi(Box<Sfi>),
}

/// Does the same in either backend.
macro_rules! dispatch {
    ($linux:expr, $backend:ident => $what:expr) => {
        match $linux {
            Backend::Process($backend) => $what,
            Backend::Keys($backend) => $what,
            Backend::Sfi($backend) => $what,
        }
    };
}

impl Linux {
    /// Loads a library.
    ///
    /// With [`Isolation::Auto`] a library that was built for [`Sfi`] runs as verified code, unless
    /// that is [`Error::Unsupported`](omniglot_core::Error::Unsupported): on this machine, in this
    /// process, or with these options. All others run in a process, also where there are protection
    /// keys.
    ///
    /// ```
    /// use omniglot_core::Description;
    /// use omniglot_linux::{Linux, Options};
    ///
    /// # fn example(description: &'static Description) -> omniglot_core::Result<()> {
    /// let mut options = Options::default();
    /// options.memory_limit = 256 << 20;
    /// // `description` is `Parts::<Linux>::DESCRIPTION`, of a generated type.
    /// let runtime = Linux::start(description, &options)?;
    /// // let mut parts = Parts::from_runtime(runtime);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Process::start`], `Sfi::start` or `ProtectionKeys::start`, whichever it is.
    pub fn start(description: &Description, options: &Options) -> Result<Self> {
        let backend = match options.isolation {
            Isolation::Auto if is_sandboxed_only(description) => {
                Backend::Sfi(Box::new(Sfi::start(description, options)?))
            }
            Isolation::Auto => match Self::start_sandboxed(description, options) {
                Some(started) => Backend::Sfi(Box::new(started?)),
                None => Backend::Process(Box::new(Process::start(description, options)?)),
            },
            Isolation::Process => Backend::Process(Box::new(Process::start(description, options)?)),
            Isolation::Sfi => Backend::Sfi(Box::new(Sfi::start(description, options)?)),
            Isolation::ProtectionKeys => {
                Backend::Keys(Box::new(ProtectionKeys::start(description, options)?))
            }
        };
        Ok(Self(backend))
    }

    /// Starts a library as verified code, if it was built for that and it is supported here.
    fn start_sandboxed(description: &Description, options: &Options) -> Option<Result<Sfi>> {
        description.sandboxed()?;
        match Sfi::start(description, options) {
            Err(Error::Unsupported { .. }) => None,
            started => Some(started),
        }
    }

    /// How many loaded workers are ready for resets of this instance and others of its
    /// kind: none before the first reset, unless [`Options::spares`] says otherwise; always
    /// none in this process, where resets need none.
    ///
    /// ```
    /// # use omniglot_linux::*;
    /// # fn example(runtime: &Linux) -> omniglot_core::Result<()> {
    /// // `runtime` is `instance.runtime()`.
    /// if runtime.warm_spares() == 0 {
    ///     eprintln!("the next reset loads the library again");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn warm_spares(&self) -> usize {
        match &self.0 {
            Backend::Process(process) => process.warm_spares(),
            Backend::Keys(_) | Backend::Sfi(_) => 0,
        }
    }

    /// What the library asked for and was answered with an error: see [`Process::requests`].
    ///
    /// ```
    /// # use omniglot_linux::*;
    /// # fn example(runtime: &Linux) -> omniglot_core::Result<()> {
    /// // `runtime` is `instance.runtime()`.
    /// for request in runtime.requests()? {
    ///     eprintln!("{} {} failed with {}", request.system_call, request.path, request.error);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Forked`](omniglot_core::Error::Forked) in a forked child, behind a key.
    pub fn requests(&self) -> Result<Vec<Request>> {
        match &self.0 {
            Backend::Process(process) => process.requests(),
            Backend::Keys(keys) => keys.requests(),
            Backend::Sfi(sfi) => sfi.requests(),
        }
    }

    /// The last lines that the library wrote: see [`Process::output`].
    ///
    /// ```
    /// # use omniglot_linux::*;
    /// # fn example(runtime: &Linux) -> omniglot_core::Result<()> {
    /// // `runtime` is `instance.runtime()`.
    /// for line in runtime.output()?.lines() {
    ///     eprintln!("the library says: {line}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Forked`](omniglot_core::Error::Forked) in a forked child, behind a key.
    pub fn output(&self) -> Result<String> {
        match &self.0 {
            Backend::Process(process) => process.output(),
            Backend::Keys(keys) => keys.output(),
            Backend::Sfi(sfi) => sfi.output(),
        }
    }

    /// The id of the process that foreign code runs in, for looking at it: this one, where it
    /// does not run in a process of its own. A worker's may belong to another process once the worker has ended.
    ///
    /// ```
    /// # use omniglot_linux::*;
    /// # fn example(runtime: &Linux) -> omniglot_core::Result<()> {
    /// // `runtime` is `instance.runtime()`. For `top -p`, say:
    /// eprintln!("the library runs in process {}", runtime.process_id());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn process_id(&self) -> u32 {
        match &self.0 {
            Backend::Process(process) => process.process_id(),
            Backend::Keys(_) | Backend::Sfi(_) => std::process::id(),
        }
    }
}

/// Whether there is nothing that a process could load.
fn is_sandboxed_only(description: &Description) -> bool {
    let behind = SANDBOXED.len() + size_of::<u64>();
    description.sandboxed().is_some_and(|image| image.len() + behind == description.image.len())
}

// SAFETY: each method is that of one runtime, the same one for the value's lifetime, whose
// window it is (invariants 1 to 3); and all give the same guarantees.
unsafe impl Runtime for Linux {
    const GUARANTEES: Guarantees =
        Guarantees { memory: true, types: true, aliasing: true, containment: true };
    const TICKS_PER_SECOND: u64 = TICKS_PER_SECOND;
    type InterruptHandle = InterruptHandle;

    #[inline]
    fn window(&self) -> &Window {
        dispatch!(&self.0, backend => backend.window())
    }

    #[inline]
    fn check_alive(&self) -> Result<()> {
        dispatch!(&self.0, backend => backend.check_alive())
    }

    #[inline]
    fn is_concurrent(&self) -> bool {
        dispatch!(&self.0, backend => backend.is_concurrent())
    }

    #[inline]
    fn check_writable(&self, address: usize, len: usize) -> Result<()> {
        dispatch!(&self.0, backend => backend.check_writable(address, len))
    }

    fn exchange(&self) -> (usize, usize) {
        dispatch!(&self.0, backend => backend.exchange())
    }

    #[inline]
    fn shim(&self, index: u32) -> Option<usize> {
        dispatch!(&self.0, backend => backend.shim(index))
    }

    fn trampoline(&self, slot: u32) -> Option<usize> {
        dispatch!(&self.0, backend => backend.trampoline(slot))
    }

    fn isolation(&self) -> IsolationKind {
        dispatch!(&self.0, backend => backend.isolation())
    }

    fn interrupt_handle(&self) -> InterruptHandle {
        dispatch!(&self.0, backend => backend.interrupt_handle())
    }

    fn time_limit(&self) -> Option<Duration> {
        dispatch!(&self.0, backend => backend.time_limit())
    }

    #[inline(always)]
    unsafe fn run(&mut self, step: Step, calls: &mut Calls) -> Result<Event> {
        // SAFETY: the caller is a session of this runtime (core's invariant 11), and so of the
        // inner one, which no other session reaches.
        dispatch!(&mut self.0, backend => unsafe { backend.run(step, calls) })
    }

    fn kill(&mut self) {
        dispatch!(&mut self.0, backend => backend.kill());
    }

    fn reload(&mut self, calls: &mut Calls) -> Result<()> {
        dispatch!(&mut self.0, backend => backend.reload(calls))
    }

    #[inline]
    fn begin_call(&mut self, number: u64) {
        dispatch!(&mut self.0, backend => backend.begin_call(number));
    }

    fn last_call(&self) -> u64 {
        dispatch!(&self.0, backend => backend.last_call())
    }

    #[inline]
    fn end_call(&mut self) {
        dispatch!(&mut self.0, backend => backend.end_call());
    }

    fn limit_changed(&mut self, time: &Timer) {
        dispatch!(&mut self.0, backend => backend.limit_changed(time));
    }
}
