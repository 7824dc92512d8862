//! The runtime of verified code: foreign code runs on the caller's thread, in its region.
#![allow(unsafe_code)]

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::time::{Duration, Instant};

use omniglot_core::{
    Calls, Description, Error, Event, Fault, FaultKind, Guarantees, IsolationKind, Reply, Result,
    Runtime, Step, Timer, Window,
};
use omniglot_verify::LINE;
use omniglot_verify::layout::GATE_CALL;

use super::heap::{Heap, Request};
use super::image::{Image, verified};
use super::memory::Memory;
use super::page::{ABORT, ENTER, GO_ON};
use super::region::Region;
use crate::enabled::filters::policy::name_of;
use crate::enabled::generation;
use crate::enabled::in_process::context::{BELIEVES, KEEPS_VECTORS, RETURNED};
use crate::enabled::in_process::execution::{Execution, HOST_STACK, NO_EVENT};
use crate::enabled::in_process::features;
use crate::enabled::in_process::gate;
use crate::enabled::in_process::handler::{FAULT, FORKED, STOP};
use crate::enabled::in_process::keys::check_plain;
use crate::enabled::in_process::masks::with_all_blocked;
use crate::enabled::in_process::syscalls::{Answer, answer};
use crate::enabled::in_process::threads::Thread;
use crate::enabled::in_process::x87;
use crate::enabled::interrupt::InterruptHandle;
use crate::enabled::timer;
use crate::options::Options;

const ENOSYS: i64 = 38;

/// A foreign library in the host's process, on the caller's thread, whose machine code was proved
/// to stay in 4 GiB of its own: it can access its own memory only, without anything of the
/// processor's or the kernel's that would keep it there.
///
/// Needs x86-64 with FSGSBASE and Linux 5.9, and a library that was
/// [built for it](Description::sandboxed). What it can do is compute, and call back; what it asks
/// the system for beyond memory is answered as [`Options`] say.
pub struct Sfi {
    /// After the window that is of it.
    memory: Memory,
    window: Window,
    image: Arc<Image>,
    heap: Heap,
    description: Description,
    execution: Execution,
    start_timeout: Duration,
    is_strict: bool,
    /// While its constructors run: a C library asks for things then that nobody needs later.
    is_loading: bool,
}

impl fmt::Debug for Sfi {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Sfi").field("library", &self.description.name).finish_non_exhaustive()
    }
}

impl Sfi {
    /// Maps the library's sandboxed image into a region of its own, and verifies it, once in a
    /// process.
    ///
    /// ```
    /// use omniglot_core::Description;
    /// use omniglot_linux::{Sfi, Options};
    ///
    /// # fn example(description: &'static Description) -> omniglot_core::Result<()> {
    /// let mut options = Options::default();
    /// options.memory_limit = 256 << 20;
    /// // `description` is `Parts::<Sfi>::DESCRIPTION`, of a generated type.
    /// let runtime = Sfi::start(description, &options)?;
    /// // let mut parts = Parts::from_runtime(runtime);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Load`] where there is no such image, it is refused, or an option is out of its
    /// range or for other runtimes; [`Error::Unsupported`] where the machine lacks something;
    /// [`Error::System`]; what ended its constructors.
    pub fn start(description: &Description, options: &Options) -> Result<Self> {
        let generation = generation::current()?;
        check_plain()?;
        let image = verified(sandboxed(description, options)?)?;
        image.check(description)?;
        let memory = Memory::map(Region::take(generation)?, &image, options)?;
        let window = memory.window()?;
        let heap = Heap::new(memory.plan.heap.clone());
        let mut domain = Self {
            memory,
            window,
            image,
            heap,
            description: *description,
            execution: Execution::new(options.timeout, generation),
            start_timeout: options.start_timeout,
            is_strict: options.strict,
            is_loading: false,
        };
        domain.prepare(options);
        domain.begin_life(Calls::new().renumber())?;
        // What was to stop the constructors, and comes late, stops no call.
        // The old context stays until handlers no longer find it.
        let loading =
            std::mem::replace(&mut domain.execution, Execution::new(options.timeout, generation));
        domain.prepare(options);
        drop(loading);
        Ok(domain)
    }

    /// What this machine lacks for it, if anything.
    ///
    /// ```
    /// match omniglot_linux::Sfi::check() {
    ///     Ok(()) => println!("verified code can be run"),
    ///     Err(error) => println!("{error}"), // says what is missing
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Error::Unsupported`].
    pub fn check() -> Result<()> {
        check_plain()
    }

    /// Tells gate and handlers what they must know.
    fn prepare(&self, options: &Options) {
        let domain = &self.execution.context.domain;
        domain.base.store(self.window.start(), Relaxed);
        domain.size.store(self.window.len(), Relaxed);
        domain.alias.store(self.memory.start(), Relaxed);
        domain.allow.store(options.allow.bits(), Relaxed);
        let believes = if x87::believes_summary() { BELIEVES } else { 0 };
        let vectors = if is_x86_feature_detected!("avx") { features::AVX } else { 0 };
        self.execution.context.features.store(vectors | believes | self.image.features(), Relaxed);
        self.execution.context.region.store(self.base(), Relaxed);
        self.memory.region().announce(&self.execution.context);
    }

    /// Fills in the words that the host sets, and runs the constructors, as a call of that number.
    fn begin_life(&mut self, number: u64) -> Result<()> {
        let heap = &self.memory.plan.heap;
        let words = [
            (Some(self.image.callback), GATE_CALL),
            (self.image.heap_start, heap.start as u64),
            (self.image.heap_end, heap.end as u64),
        ];
        for (place, value) in words {
            if let Some(place) = place {
                self.window.write(place, &value.to_ne_bytes())?;
            }
        }
        if self.image.start == 0 {
            return Ok(());
        }
        self.begin_call(number);
        let mut calls = Calls::limited(self.start_timeout, timer::TICKS_PER_SECOND);
        self.is_loading = true;
        let outcome = self.enter(self.image.start, 0, &mut calls);
        self.is_loading = false;
        self.end_call();
        match outcome? {
            Event::Returned => Ok(()),
            Event::Callback { .. } => Err(Error::Protocol("a callback before there are any")),
        }
    }

    const fn base(&self) -> u64 {
        self.memory.region().start() as u64
    }

    /// Starts a call at that depth.
    fn enter(&mut self, entry: usize, arguments: usize, calls: &mut Calls) -> Result<Event> {
        let thread = Thread::plain(self.execution.generation())?;
        thread.check_outside()?;
        if !thread.has_stack(HOST_STACK) {
            return Err(Error::TooDeep { limit: calls.depth() });
        }
        let bottom = self.base() + self.memory.plan.stack.end as u64;
        self.execution.begin(calls.depth(), bottom);
        // The gate calls what the entry is masked to: a line of the region.
        self.execution.aim(self.base() + ENTER, entry as u64, arguments as u64);
        self.run_foreign_code(thread, calls)
    }

    /// Answers the innermost callback.
    fn resume(&mut self, reply: Reply, calls: &mut Calls) -> Result<Event> {
        let thread = Thread::plain(self.execution.generation())?;
        thread.check_outside()?;
        self.execution.go_on();
        let (target, argument) = match reply {
            Reply::Return => (GO_ON, 0),
            // In the callback's place: it returns to the trampoline, if it returns.
            Reply::Raise { entry, arguments } => (self.line(entry), arguments),
        };
        self.execution.aim(self.base() + target, 0, argument as u64);
        self.run_foreign_code(thread, calls)
    }

    /// The line that an entry is in: where verified code may be entered (H3).
    const fn line(&self, entry: usize) -> u64 {
        entry as u32 as u64 / LINE * LINE
    }

    /// Runs foreign code until the next event that is the session's.
    #[inline(always)]
    fn run_foreign_code(&mut self, thread: &'static Thread, calls: &mut Calls) -> Result<Event> {
        let event = self.run_stretch(thread, calls)?;
        match event {
            Event::Callback { slot, arguments } if slot >= ABORT => {
                self.serve(slot, arguments, thread, calls)
            }
            _ => Ok(event),
        }
    }

    /// Runs foreign code until it leaves.
    #[inline(always)]
    fn run_stretch(&mut self, thread: &'static Thread, calls: &mut Calls) -> Result<Event> {
        let event = if calls.time.is_limited() {
            match self.cross_limited(thread, calls) {
                Ok(event) => event,
                Err(error) => {
                    // Before foreign code ran: the call is over, and others may work.
                    self.execution.end(calls.depth());
                    return Err(error);
                }
            }
        } else {
            self.cross(thread)
        };
        match self.execution.accept(event, calls) {
            // Low, or with the region's base.
            Ok(Event::Callback { slot, arguments }) => {
                Ok(Event::Callback { slot, arguments: arguments as u32 as usize })
            }
            Ok(event) => Ok(event),
            Err(error) => Err(error.unwrap_or_else(|| self.explain(calls))),
        }
    }

    /// With a time limit. Not inlined, so that other calls save no registers for it.
    #[inline(never)]
    fn cross_limited(&mut self, thread: &'static Thread, calls: &mut Calls) -> Result<u32> {
        let since = self.execution.announce(&calls.time)?;
        let event = self.cross(thread);
        self.execution.withdraw(since, event == RETURNED, calls);
        Ok(event)
    }

    #[inline(always)]
    fn cross(&self, thread: &'static Thread) -> u32 {
        let context = &*self.execution.context;
        // From before the rest, which a handler's call would change.
        let event = thread.inside(context, || {
            // A handler may have forked since the last look.
            if self.execution.check_process().is_err() {
                return NO_EVENT;
            }
            context.thread_id.store(thread.id(), Release);
            // SAFETY: `next` was just stored, all else when the domain was made: the target is a
            // line of the region or of its gates, the stack in the region (invariant 18); `&mut
            // self` in the callers keeps other threads out (invariant 8).
            unsafe { gate::enter_sfi(context) }
        });
        context.thread_id.store(0, Release);
        event
    }

    /// Why foreign code was abandoned.
    fn explain(&self, calls: &Calls) -> Error {
        match self.execution.context.outcome.kind.load(Relaxed) {
            FAULT => Error::Fault(self.fault()),
            STOP => self.execution.stopped(calls),
            FORKED => Error::Forked,
            _ => Error::Protocol("an end without a reason"),
        }
    }

    fn fault(&self) -> Fault {
        // As foreign code knows addresses; what is beside the region stays as it is.
        let low = |address: u64| address.checked_sub(self.base()).unwrap_or(address) as usize;
        let plan = &self.memory.plan;
        let is_overflow = |accessed, stack| plan.is_stack_overflow(accessed, stack);
        let (fault, instruction) = self.execution.fault(low, is_overflow);
        Fault { place: self.image.describe(self.description.name, instruction), ..fault }
    }

    /// Does what stands for system calls, until foreign code does something else.
    #[cold]
    #[inline(never)]
    fn serve(
        &mut self,
        mut slot: u32,
        mut arguments: usize,
        thread: &'static Thread,
        calls: &mut Calls,
    ) -> Result<Event> {
        loop {
            if slot == ABORT {
                return Err(self.aborted());
            }
            self.answer(arguments, calls)?;
            self.execution.go_on();
            self.execution.aim(self.base() + GO_ON, 0, 0);
            self.execution.context.features.fetch_or(KEEPS_VECTORS, Relaxed);
            let event = self.run_stretch(thread, calls);
            self.execution.context.features.fetch_and(!KEEPS_VECTORS, Relaxed);
            match event? {
                Event::Callback { slot: other, arguments: others } if other >= ABORT => {
                    (slot, arguments) = (other, others);
                }
                event => return Ok(event),
            }
        }
    }

    /// Answers a request. The time counts, since foreign code decides how much there is to do.
    ///
    /// What cannot be done now is tried again here, for as long as foreign code could try it: until
    /// the call's time is over, or it is interrupted.
    fn answer(&mut self, place: usize, calls: &mut Calls) -> Result<()> {
        loop {
            let since = calls.time.is_limited().then(Instant::now);
            let is_answered = self.try_to_answer(place);
            if let Some(since) = since {
                timer::add(&mut calls.time, since);
            }
            if is_answered? {
                return Ok(());
            }
            // A handler may have forked, or interrupted the call.
            self.execution.check_process()?;
            if self.execution.context.must_stop() {
                return Err(self.execution.stopped(calls));
            }
            timer::left(&calls.time, None)?;
        }
    }

    /// Answers a request in its own place; false if that cannot be done now.
    fn try_to_answer(&mut self, place: usize) -> Result<bool> {
        let wrong = |_| Error::Protocol("a request that is not on the stack");
        let request = Request::read(&self.window, place).map_err(wrong)?;
        let value = match self.heap.answer(&request, &self.memory) {
            Some(value) => Some(value),
            None => self.ask_host(&request)?,
        };
        let Some(value) = value else { return Ok(false) };
        self.check_writable(place, size_of::<u64>()).map_err(wrong)?;
        self.window.write(place, &value.to_ne_bytes())?;
        Ok(true)
    }

    /// What the user allows is done by the host; all else is an error number, or the call's end.
    /// `None` if it cannot be done now.
    fn ask_host(&self, request: &Request) -> Result<Option<i64>> {
        let [first, second, third, fourth, ..] = request.arguments;
        let number = request.number;
        // As in a handler, which this is written for: a signal that a write raises is taken back.
        let answered = with_all_blocked(|| {
            answer(&self.execution.context.domain, number, [first, second, third, fourth])
        });
        match answered {
            Answer::Value(value) => Ok(Some(value)),
            Answer::Again => Ok(None),
            Answer::Abort => Err(self.aborted()),
            Answer::Exit => Err(Error::Exited { status: Some((first & 0xff) as i32) }),
            Answer::Denied if self.is_strict && !self.is_loading => Err(Error::SyscallDenied {
                name: name_of(number),
                number,
                place: omniglot_core::Text::default(),
            }),
            Answer::Denied => Ok(Some(-ENOSYS)),
        }
    }

    /// Foreign code gave up, at the return address that it left.
    fn aborted(&self) -> Error {
        let stack = self.execution.context.left.stack.load(Relaxed) as u32 as usize;
        let mut word = [0; size_of::<u32>()];
        let found = self.window.read(stack, &mut word);
        let caller = found.map_or(0, |()| u32::from_ne_bytes(word) as usize);
        Error::Fault(Fault {
            kind: FaultKind::Abort,
            address: caller,
            place: self.image.describe(self.description.name, caller),
        })
    }
}

/// The image for this runtime, where the options are its own, too.
fn sandboxed(description: &Description, options: &Options) -> Result<&'static [u8]> {
    let wrong = |what| Err(Error::Load(omniglot_core::Text::new(what)));
    let Some(image) = description.sandboxed() else {
        return wrong("the library has no sandboxed image: build it with Library::sandboxed()");
    };
    let Options { libraries, library_directories, .. } = options;
    if !libraries.is_empty() || !library_directories.is_empty() {
        return wrong("with Isolation::Sfi no shared library can be loaded");
    }
    let for_processes = !options.files.is_empty()
        || !options.environment.is_empty()
        || options.clock.is_some()
        || options.seed.is_some()
        || options.tmp > 0
        || !options.plugin_directories.is_empty()
        || options.output.is_some();
    if for_processes {
        return wrong(
            "files, environment, clock, seed, a /tmp, plugins and lines are for Isolation::Process",
        );
    }
    Ok(image)
}

// SAFETY: the window is the domain's memory (invariants 1 to 3). Foreign code runs on the caller's
// thread inside `run` and `reload` only, which take `&mut self`, and stays in its region (invariant
// 18). `accept` checks the process before it reports an event.
unsafe impl Runtime for Sfi {
    const GUARANTEES: Guarantees =
        Guarantees { memory: true, types: true, aliasing: true, containment: true };
    const TICKS_PER_SECOND: u64 = timer::TICKS_PER_SECOND;
    type InterruptHandle = InterruptHandle;

    #[inline]
    fn window(&self) -> &Window {
        self.execution.window(&self.window)
    }

    #[inline]
    fn check_alive(&self) -> Result<()> {
        self.execution.check_process()
    }

    fn is_concurrent(&self) -> bool {
        false
    }

    #[inline]
    fn check_writable(&self, address: usize, len: usize) -> Result<()> {
        self.check_alive()?;
        self.window.check(address, len)?;
        self.memory.check_writable(address, len)
    }

    fn exchange(&self) -> (usize, usize) {
        (self.memory.plan.exchange.start, self.memory.plan.exchange.len())
    }

    #[inline]
    fn shim(&self, index: u32) -> Option<usize> {
        self.image.tables.shims.get(index as usize).copied()
    }

    fn trampoline(&self, slot: u32) -> Option<usize> {
        self.image.tables.trampolines.get(slot as usize).copied()
    }

    fn isolation(&self) -> IsolationKind {
        IsolationKind::Sfi
    }

    fn interrupt_handle(&self) -> InterruptHandle {
        self.execution.interrupt_handle()
    }

    fn time_limit(&self) -> Option<Duration> {
        self.execution.time_limit()
    }

    #[inline(always)]
    unsafe fn run(&mut self, step: Step, calls: &mut Calls) -> Result<Event> {
        match step {
            Step::Call { entry, arguments } => self.enter(entry, arguments, calls),
            Step::Resume(reply) => self.resume(reply, calls),
        }
    }

    fn kill(&mut self) {
        self.execution.kill();
    }

    /// The domain's registers are the host's between calls, so memory is all that there is.
    fn reload(&mut self, calls: &mut Calls) -> Result<()> {
        self.execution.check_process()?;
        self.kill();
        self.execution.context.forget();
        self.memory.restore()?;
        self.heap = Heap::new(self.memory.plan.heap.clone());
        self.begin_life(calls.renumber())
    }

    #[inline(always)]
    fn begin_call(&mut self, number: u64) {
        self.execution.begin_call(number);
    }

    fn last_call(&self) -> u64 {
        self.execution.last_call()
    }

    #[inline(always)]
    fn end_call(&mut self) {
        self.execution.end_call();
    }

    fn limit_changed(&mut self, time: &Timer) {
        self.execution.limit_changed(time);
    }
}
