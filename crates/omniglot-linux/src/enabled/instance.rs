//! The runtime over a worker: requests and answers through its channel.
#![allow(unsafe_code)]

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use omniglot_core::{
    Calls, Description, Error, Event, Guarantees, IsolationKind, Reply, Result, Runtime, Step,
    Window,
};

use super::channel::{Ending, Message, Operation};
use super::generation;
use super::interrupt::{InterruptHandle, Interrupts};
use super::learning;
use super::listener::Listener;
use super::load_spec::LoadSpec;
use super::report::explain;
use super::requests;
use super::spares::Spares;
use super::start::{LONGEST_SLEEP, SHORTEST_SLEEP, Started, start};
use super::timer;
use super::world;
use crate::options::{Options, Permission};
use crate::request::Request;

/// A foreign library in a process of its own.
///
/// Dropping it kills the process; nothing of it remains.
pub struct Process {
    started: Started,
    spec: Arc<LoadSpec>,
    /// Made when first needed.
    spares: Option<Arc<Spares>>,
    interrupts: Arc<Interrupts>,
    listener: Option<Listener>,
    /// How much the library had written when the outermost call began.
    heard: u64,
    /// What ended a call, in this life.
    ended_by: Option<Error>,
    /// The number of the last outermost call.
    last_call: u64,
}

impl fmt::Debug for Process {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Process")
            .field("library", &self.spec.description.name)
            .field("process", &self.started.worker.id())
            .finish_non_exhaustive()
    }
}

impl Process {
    /// Loads a library in a fresh worker process: Linux 5.9 or later with seccomp and
    /// `/proc`, and 5.13 with Landlock for the fastest start.
    ///
    /// ```
    /// use omniglot_core::Description;
    /// use omniglot_linux::{Process, Options};
    ///
    /// # fn example(description: &'static Description) -> omniglot_core::Result<()> {
    /// let mut options = Options::default();
    /// options.memory_limit = 256 << 20;
    /// // `description` is `Parts::<Process>::DESCRIPTION`, of a generated type.
    /// let runtime = Process::start(description, &options)?;
    /// // let mut parts = Parts::from_runtime(runtime);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - [`Error::Load`]: an option is out of its range, a library does not exist or cannot be
    ///   loaded; the text has the dynamic linker's message.
    /// - [`Error::MissingFunction`]: the library lacks a function of its header.
    /// - [`Error::Fault`], [`Error::Exited`], [`Error::SyscallDenied`], [`Error::Timeout`]: a
    ///   constructor of the library caused it.
    /// - [`Error::Unsupported`]: the kernel or its settings lack what confines foreign code; the
    ///   text says what, and what to do.
    /// - [`Error::System`]: the operating system refused something.
    pub fn start(description: &Description, options: &Options) -> Result<Self> {
        let spec = LoadSpec::new(description, options)?;
        let mut linux = Self::of(start(&spec)?, spec);
        if options.spares.is_some_and(|wanted| wanted > 0) {
            linux.spares()?.tend();
        }
        Ok(linux)
    }

    pub(super) fn of(started: Started, spec: LoadSpec) -> Self {
        let interrupts = Arc::<Interrupts>::default();
        interrupts.attach(started.channel.mapping());
        let listener = spec.options.output.clone().map(Listener::new);
        Self {
            started,
            spec: Arc::new(spec),
            spares: None,
            interrupts,
            listener,
            heard: 0,
            ended_by: None,
            last_call: 0,
        }
    }

    /// Takes what the library has to say before its memory goes.
    fn end_life(&mut self) {
        if generation::check(self.started.generation).is_err() {
            return;
        }
        if let Some(listener) = &mut self.listener {
            listener.hear(&self.started.window, true);
        }
        let name = self.spec.description.name;
        learning::note(name, &self.started.window, self.ended_by.take().as_ref());
    }

    fn spares(&mut self) -> Result<Arc<Spares>> {
        if let Some(spares) = &self.spares {
            return Ok(Arc::clone(spares));
        }
        let spares = Spares::of(&self.spec)?;
        self.spares = Some(Arc::clone(&spares));
        Ok(spares)
    }

    /// A worker that has not run a call. If none is ready the old one ends first, so that system
    /// limits on processes count one at a time.
    fn fresh(&mut self, spares: &Spares) -> Result<Started> {
        if let Some(spare) = spares.take() {
            return Ok(spare);
        }
        self.started.worker.end();
        start(&self.spec)
    }

    /// Replaces the worker by one that has not run a call.
    fn replace(&mut self) -> Result<()> {
        generation::check(self.started.generation)?;
        let spares = self.spares()?;
        let fresh = self.fresh(&spares)?;
        self.end_life();
        self.interrupts.attach(fresh.channel.mapping());
        if self.spec.options.allow.contains(Permission::Stderr) {
            // All else that it could do, until the signal arrives, is in its own memory.
            self.started.worker.end();
        }
        spares.bury(std::mem::replace(&mut self.started, fresh));
        spares.tend();
        Ok(())
    }

    /// How many loaded workers are ready for resets of this instance and others with the same load
    /// spec: none before the first reset, unless [`Options::spares`] says otherwise.
    ///
    /// ```
    /// # use omniglot_linux::*;
    /// # fn example(runtime: &Process) -> omniglot_core::Result<()> {
    /// // `runtime` is `instance.runtime()`.
    /// if runtime.warm_spares() == 0 {
    ///     eprintln!("the next reset loads the library again");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn warm_spares(&self) -> usize {
        self.spares.as_ref().map_or(0, |spares| spares.ready())
    }

    /// What the library asked for and was answered with an error, each request once, since the
    /// instance was made or reset: for example files that do not exist. The library itself could
    /// change that list.
    ///
    /// ```
    /// # use omniglot_linux::*;
    /// # fn example(runtime: &Process) -> omniglot_core::Result<()> {
    /// // `runtime` is `instance.runtime()`.
    /// for request in runtime.requests()? {
    ///     eprintln!("{} {} failed with {}", request.system_call, request.path, request.error);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None today.
    pub fn requests(&self) -> Result<Vec<Request>> {
        requests::read(&self.started.window)
    }

    /// The last lines that the library wrote to its standard output and error, 8 KiB at most, with
    /// control characters escaped; also after a call that failed. Text that went to the host's own
    /// standard error ([`Permission::Stderr`]) is not included.
    ///
    /// ```
    /// # use omniglot_linux::*;
    /// # fn example(runtime: &Process) -> omniglot_core::Result<()> {
    /// // `runtime` is `instance.runtime()`.
    /// for line in runtime.output()?.lines() {
    ///     eprintln!("the library says: {line}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None today.
    pub fn output(&self) -> Result<String> {
        requests::output(&self.started.window)
    }

    /// The worker's process id, for inspection. It may belong to another process once the worker
    /// has ended.
    ///
    /// ```
    /// # use omniglot_linux::*;
    /// # fn example(runtime: &Process) -> omniglot_core::Result<()> {
    /// // `runtime` is `instance.runtime()`. For `top -p`, say:
    /// eprintln!("the library runs in process {}", runtime.process_id());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn process_id(&self) -> u32 {
        self.started.worker.id()
    }

    /// Sends a request for the innermost call and waits for its outcome.
    #[inline]
    fn request(
        &mut self,
        operation: Operation,
        entry: usize,
        arguments: usize,
        calls: &mut Calls,
    ) -> Result<Event> {
        let mut message = self.ask(operation, entry, arguments, calls)?;
        while let Message::GiveBack { address, len } = message {
            // The library chooses how often this happens, and how much memory it frees; so it
            // counts as the library's time.
            let since = calls.time.is_limited().then(Instant::now);
            let kept = self.take_back(address, len);
            if let Some(since) = since {
                timer::add(&mut calls.time, since);
            }
            message = self.ask(Operation::Resume, 0, usize::from(kept), calls)?;
        }
        self.accept(message, calls)
    }

    /// The answer to one request.
    #[inline]
    fn ask(
        &mut self,
        operation: Operation,
        entry: usize,
        arguments: usize,
        calls: &mut Calls,
    ) -> Result<Message> {
        self.interrupts.check(calls.number())?;
        // The first stretch of an outermost call is not timed while the host spins, which takes
        // microseconds, once: reading the clock would cost half as much as the call. All other
        // stretches are timed, since the library chooses their number, and so is that of the calls
        // of one operation.
        let is_first = calls.is_alone() && matches!(operation, Operation::Call);
        let timed = calls.time.is_limited() && !is_first;
        let since = timed.then(Instant::now);
        if since.is_some() {
            timer::left(&calls.time, since)?;
        }
        self.started.channel.request(operation, entry, arguments);
        if !self.started.channel.spin() {
            self.wait(since.unwrap_or_else(Instant::now), calls)?;
        } else if let Some(since) = since {
            timer::add(&mut calls.time, since);
        }
        self.started.channel.message()
    }

    /// Returns memory to the system that the library no longer uses. Returns false if the library
    /// must clear it itself.
    #[cold]
    fn take_back(&self, address: usize, len: usize) -> bool {
        let range = self.started.layout.returnable(address, len);
        range.is_none_or(|range| !self.started.channel.mapping().give_back(range))
    }

    /// Waits for the answer, asleep, for as long as the call may take.
    #[cold]
    fn wait(&mut self, since: Instant, calls: &mut Calls) -> Result<()> {
        let mut patience = SHORTEST_SLEEP;
        loop {
            self.interrupts.check(calls.number())?;
            let left = timer::left(&calls.time, Some(since))?.unwrap_or(LONGEST_SLEEP);
            self.started.channel.sleep(patience.min(left));
            if self.started.channel.is_answered() {
                timer::add(&mut calls.time, since);
                return Ok(());
            }
            if self.started.worker.has_ended() && !self.started.channel.is_answered() {
                let left = timer::left(&calls.time, Some(since));
                return Err(self.explain(self.started.channel.ending(), left));
            }
            patience = (patience * 2).min(LONGEST_SLEEP);
        }
    }

    /// Checks that a message belongs to the running call, at its depth.
    #[inline]
    fn accept(&mut self, message: Message, calls: &Calls) -> Result<Event> {
        let innermost = calls.depth();
        match message {
            Message::Returned { depth } if depth == innermost => Ok(Event::Returned),
            Message::Callback { depth, slot, arguments } if depth == innermost => {
                Ok(Event::Callback { slot, arguments })
            }
            Message::Returned { depth } | Message::Callback { depth, .. } if depth < innermost => {
                Err(Error::NonLocalExit)
            }
            Message::Ending(ending) => {
                Err(self.explain(Some(ending), timer::left(&calls.time, None)))
            }
            _ => Err(Error::Protocol("an answer that fits no call")),
        }
    }

    /// Ends the worker and returns the reason for its end, in the time that the call has left.
    #[cold]
    fn explain(&mut self, said: Option<Ending>, left: Result<Option<Duration>>) -> Error {
        let started = &mut self.started;
        // Its report of a fault does not depend on how the kernel ends it, which can take longer
        // than the call may.
        let end = match said {
            Some(Ending::Fault | Ending::Denied) => started.worker.stop(),
            _ => started.worker.end(),
        };
        let left = left.map_or(Duration::ZERO, |left| left.unwrap_or(Duration::MAX));
        let names = self.spec.names(left);
        let error = explain(said, end, &started.window, &started.layout, &names, self.heard);
        self.ended_by = Some(match error {
            Error::Load(_) | Error::System { .. } | Error::MissingFunction(_) => {
                Error::Protocol("a report about loading during a call")
            }
            error => error,
        });
        self.hear();
        self.ended_by.unwrap_or(Error::Protocol("an end without a reason"))
    }

    /// Hands on what the library wrote.
    fn hear(&mut self) {
        if let Some(listener) = &mut self.listener {
            listener.hear(&self.started.window, false);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end_life();
    }
}

// SAFETY: the window is a mapping's that `self.started.channel` keeps (invariants 1 to
// 3); a reset exchanges both together, with `self` borrowed by `&mut`. Foreign code
// runs in another process, which shares nothing else with this one, so it writes no
// host memory; is_concurrent says that it may run at any time.
unsafe impl Runtime for Process {
    const GUARANTEES: Guarantees =
        Guarantees { memory: true, types: true, aliasing: true, containment: true };
    const TICKS_PER_SECOND: u64 = timer::TICKS_PER_SECOND;
    type InterruptHandle = InterruptHandle;

    #[inline]
    fn window(&self) -> &Window {
        &self.started.window
    }

    #[inline]
    fn check_alive(&self) -> Result<()> {
        generation::check(self.started.generation)
    }

    #[inline]
    fn is_concurrent(&self) -> bool {
        true
    }

    fn exchange(&self) -> (usize, usize) {
        self.started.layout.exchange()
    }

    #[inline]
    fn shim(&self, index: u32) -> Option<usize> {
        self.started.tables.shims.get(index as usize).copied()
    }

    fn trampoline(&self, slot: u32) -> Option<usize> {
        self.started.tables.trampolines.get(slot as usize).copied()
    }

    fn isolation(&self) -> IsolationKind {
        IsolationKind::Process
    }

    fn interrupt_handle(&self) -> InterruptHandle {
        InterruptHandle::new(&self.interrupts)
    }

    fn time_limit(&self) -> Option<Duration> {
        self.spec.options.timeout
    }

    #[inline]
    unsafe fn run(&mut self, step: Step, calls: &mut Calls) -> Result<Event> {
        let (operation, entry, arguments) = match step {
            Step::Call { entry, arguments } => (Operation::Call, entry, arguments),
            Step::Resume(Reply::Return) => (Operation::Resume, 0, 0),
            Step::Resume(Reply::Raise { entry, arguments }) => (Operation::Raise, entry, arguments),
        };
        self.request(operation, entry, arguments, calls)
    }

    fn kill(&mut self) {
        if generation::check(self.started.generation).is_ok() {
            self.started.worker.stop();
        }
        self.interrupts.end();
    }

    fn reload(&mut self, _calls: &mut Calls) -> Result<()> {
        self.replace()
    }

    #[inline]
    fn begin_call(&mut self, number: u64) {
        self.last_call = number;
        self.interrupts.begin(number);
        self.heard = self.started.channel.said();
        self.started.channel.tell_time(world::time(&self.spec.options));
    }

    fn last_call(&self) -> u64 {
        self.last_call
    }

    #[inline]
    fn end_call(&mut self) {
        self.interrupts.end();
        if self.listener.is_some() {
            self.hear();
        }
    }
}
