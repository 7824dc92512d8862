//! The runtime's state machine over a worker.
#![allow(unsafe_code)]

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use omniglot_core::{
    Cause, Description, Error, Event, Guarantees, IsolationKind, Reply, Result, Runtime, Window,
};

use super::channel::{Ending, Message, Operation};
use super::generation;
use super::interrupt::{InterruptHandle, Interrupts};
use super::load_spec::LoadSpec;
use super::report::explain;
use super::spares::Spares;
use super::start::{LONGEST_SLEEP, SHORTEST_SLEEP, Started, start};
use super::timer::Timer;
use crate::{Options, Permission};

/// A foreign library in a process of its own.
///
/// Dropping it kills the process; nothing of it is left then.
pub struct Process {
    started: Started,
    spec: Arc<LoadSpec>,
    /// Made when first needed.
    spares: Option<Arc<Spares>>,
    calls: Calls,
    timer: Timer,
    /// Whether outermost calls are parts of one operation, which they share their time with.
    in_operation: bool,
    interrupts: Arc<Interrupts>,
    /// The number of the last outermost call.
    number: u64,
    health: Health,
}

/// Calls in progress: each one but the innermost waits in a callback.
#[derive(Debug, Default)]
struct Calls {
    open: u32,
    /// Whether the innermost one waits in a callback, too.
    in_callback: bool,
}

/// Whether foreign code may still run.
#[derive(Clone, Copy, Debug)]
enum Health {
    Good,
    Poisoned(Cause),
}

impl fmt::Debug for Process {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Process")
            .field("library", &self.spec.description.name)
            .field("process", &self.started.worker.id())
            .field("calls", &self.calls)
            .field("health", &self.health)
            .finish_non_exhaustive()
    }
}

impl Process {
    /// Loads a library in a fresh worker process: Linux 5.9 or later with seccomp and
    /// `/proc`, and 5.13 with Landlock for the fastest start.
    ///
    /// # Errors
    /// - [`Error::Load`]: an option is out of its range, a library is not there or
    ///   cannot be loaded; the text says what the dynamic linker said.
    /// - [`Error::MissingFunction`]: the library lacks a function of its header.
    /// - [`Error::Fault`], [`Error::Exited`], [`Error::SyscallDenied`],
    ///   [`Error::Timeout`]: a constructor of the library did that.
    /// - [`Error::Unsupported`]: the kernel or its settings lack what confines
    ///   foreign code; the text says what, and what to do.
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
        Self {
            started,
            calls: Calls::default(),
            timer: Timer::new(spec.options.timeout),
            spec: Arc::new(spec),
            spares: None,
            interrupts,
            in_operation: false,
            number: 0,
            health: Health::Good,
        }
    }

    fn spares(&mut self) -> Result<Arc<Spares>> {
        if let Some(spares) = &self.spares {
            return Ok(Arc::clone(spares));
        }
        let spares = Spares::of(&self.spec)?;
        self.spares = Some(Arc::clone(&spares));
        Ok(spares)
    }

    /// A worker that never ran a call. The old one ends first if none is ready, so that
    /// limits of the system on processes count one at a time.
    fn fresh(&mut self, spares: &Spares) -> Result<Started> {
        if let Some(spare) = spares.take() {
            return Ok(spare);
        }
        self.started.worker.end();
        start(&self.spec)
    }

    /// Gives up the worker for one that never ran a call.
    fn replace(&mut self) -> Result<()> {
        generation::check(self.started.generation)?;
        let spares = self.spares()?;
        let fresh = self.fresh(&spares)?;
        self.interrupts.attach(fresh.channel.mapping());
        if self.spec.options.allow.contains(Permission::Stderr) {
            // All else that it could do, until the signal arrives, is in its own memory.
            self.started.worker.end();
        }
        spares.bury(std::mem::replace(&mut self.started, fresh));
        spares.tend();
        Ok(())
    }

    /// How many loaded workers are ready for resets of this instance and others of its
    /// kind: none before the first reset, unless [`Options::spares`] says otherwise.
    #[must_use]
    pub fn warm_spares(&self) -> usize {
        self.spares.as_ref().map_or(0, |spares| spares.ready())
    }

    /// The worker's process id, for looking at it. It may belong to another process
    /// once the worker has ended.
    #[must_use]
    pub const fn process_id(&self) -> u32 {
        self.started.worker.id()
    }

    /// Writes bytes at a foreign address, for those who drive the runtime without
    /// the core's instances.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] where there is not room for all in the window.
    pub fn write(&mut self, address: usize, bytes: &[u8]) -> Result<()> {
        self.started.window.write(address, bytes)
    }

    /// Checks that foreign code may run here and now.
    #[inline]
    fn check(&self) -> Result<()> {
        generation::check(self.started.generation)?;
        match self.health {
            Health::Good => Ok(()),
            Health::Poisoned(by) => Err(Error::Poisoned { by }),
        }
    }

    /// Sends a request for the innermost call and waits for what comes of it.
    #[inline]
    fn run(&mut self, operation: Operation, entry: usize, arguments: usize) -> Result<Event> {
        self.interrupts.check(self.number)?;
        // The first stretch of an outermost call is not timed while spinning, which takes
        // microseconds, once: reading the clock would cost half as much as the call. All
        // others are, since their number is the library's to choose, and so is that of the
        // calls of one operation.
        let is_alone = self.calls.open == 1 && !self.in_operation;
        let is_first = is_alone && matches!(operation, Operation::Call);
        let timed = self.timer.is_limited() && !is_first;
        let since = timed.then(Instant::now);
        if let Some(since) = since {
            self.timer.left(since)?;
        }
        self.started.channel.request(operation, entry, arguments);
        if !self.started.channel.spin() {
            self.wait(since.unwrap_or_else(Instant::now))?;
        } else if let Some(since) = since {
            self.timer.add(since);
        }
        let message = self.started.channel.message()?;
        self.accept(message)
    }

    /// Waits for the answer, asleep, for as long as the call may take.
    #[cold]
    fn wait(&mut self, since: Instant) -> Result<()> {
        let mut patience = SHORTEST_SLEEP;
        loop {
            self.interrupts.check(self.number)?;
            let left = self.timer.left(since)?.unwrap_or(LONGEST_SLEEP);
            self.started.channel.sleep(patience.min(left));
            if self.started.channel.is_answered() {
                self.timer.add(since);
                return Ok(());
            }
            if self.started.worker.has_ended() && !self.started.channel.is_answered() {
                return Err(self.explain(self.started.channel.ending()));
            }
            patience = (patience * 2).min(LONGEST_SLEEP);
        }
    }

    /// Checks that a message fits the innermost call, and keeps count.
    #[inline]
    fn accept(&mut self, message: Message) -> Result<Event> {
        let innermost = self.calls.open.wrapping_sub(1);
        match message {
            Message::Returned { depth } if depth == innermost => {
                self.calls.open = innermost;
                self.calls.in_callback = innermost > 0;
                Ok(Event::Returned)
            }
            Message::Callback { depth, slot, arguments } if depth == innermost => {
                self.calls.in_callback = true;
                Ok(Event::Callback { slot, arguments })
            }
            Message::Returned { depth } | Message::Callback { depth, .. } if depth < innermost => {
                Err(Error::NonLocalExit)
            }
            Message::Ending(ending) => Err(self.explain(Some(ending))),
            _ => Err(Error::Protocol("an answer that fits no call")),
        }
    }

    /// Ends the worker and says why it ended.
    #[cold]
    fn explain(&mut self, said: Option<Ending>) -> Error {
        let started = &mut self.started;
        // What it reports of a fault does not depend on how the kernel ends it, which can
        // outlast the call's time.
        let end = match said {
            Some(Ending::Fault | Ending::Denied) => started.worker.stop(),
            _ => started.worker.end(),
        };
        match explain(said, end, &started.window, &started.layout, &self.spec.description) {
            Error::Load(_) | Error::System { .. } | Error::MissingFunction(_) => {
                Error::Protocol("a report about loading during a call")
            }
            error => error,
        }
    }

    /// Draws the consequences of an error in the midst of a call.
    #[cold]
    fn fail(&mut self, error: Error) -> Error {
        let cause = match error {
            Error::NonLocalExit => Some(Cause::NonLocalExit),
            _ => error.poisons(),
        };
        if let Some(cause) = cause {
            self.abandon(cause);
        }
        error
    }

    #[inline]
    fn finish(&mut self, result: Result<Event>) -> Result<Event> {
        if self.calls.open == 0 && !self.in_operation {
            self.interrupts.end();
        }
        result.map_err(|error| self.fail(error))
    }

    #[inline]
    fn begin(&mut self) {
        if self.calls.open == 0 && !self.in_operation {
            self.begin_outermost();
        }
        self.calls.open += 1;
        self.calls.in_callback = false;
    }

    /// What the user sees as one call begins: it has a number and all the time.
    #[inline]
    fn begin_outermost(&mut self) {
        self.number += 1;
        self.interrupts.begin(self.number);
        self.timer.reset();
    }
}

// SAFETY: the window is a mapping's that `self.started.channel` keeps (invariants 1 to
// 3); a reset exchanges both together, with `self` borrowed by `&mut`. Foreign code
// runs in another process, which shares nothing else with this one, so it writes no
// host memory; is_concurrent says that it may run at any time.
unsafe impl Runtime for Process {
    const GUARANTEES: Guarantees =
        Guarantees { memory: true, types: true, aliasing: true, containment: true };
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

    fn enter(&mut self, entry: usize, arguments: usize) -> Result<Event> {
        self.check()?;
        if self.calls.open > 0 && !self.calls.in_callback {
            return Err(Error::Protocol("a call while foreign code runs"));
        }
        self.begin();
        let result = self.run(Operation::Call, entry, arguments);
        self.finish(result)
    }

    fn resume(&mut self, reply: Reply) -> Result<Event> {
        self.check()?;
        if !self.calls.in_callback {
            return Err(Error::Protocol("an answer to no callback"));
        }
        self.calls.in_callback = false;
        let result = match reply {
            Reply::Return => self.run(Operation::Resume, 0, 0),
            Reply::Raise { entry, arguments } => self.run(Operation::Raise, entry, arguments),
        };
        self.finish(result)
    }

    fn abandon(&mut self, cause: Cause) {
        if generation::check(self.started.generation).is_ok() {
            self.started.worker.stop();
        }
        if matches!(self.health, Health::Good) {
            self.health = Health::Poisoned(cause);
        }
        self.calls = Calls::default();
        self.interrupts.end();
    }

    fn reset(&mut self) -> Result<()> {
        if let Err(error) = self.replace() {
            self.abandon(Cause::Reset);
            return Err(error);
        }
        self.calls = Calls::default();
        self.timer.reset();
        self.health = Health::Good;
        Ok(())
    }

    fn isolation(&self) -> IsolationKind {
        IsolationKind::Process
    }

    fn begin_operation(&mut self) {
        self.begin_outermost();
        self.in_operation = true;
    }

    fn end_operation(&mut self) {
        self.in_operation = false;
        self.interrupts.end();
    }

    fn set_timeout(&mut self, limit: Option<Duration>) {
        self.timer.set_limit(limit);
    }

    fn interrupt_handle(&self) -> InterruptHandle {
        InterruptHandle::new(&self.interrupts)
    }
}
