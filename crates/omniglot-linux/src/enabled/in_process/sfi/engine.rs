//! The runtime of verified code: foreign code runs on the caller's thread, in its region.
#![allow(unsafe_code)]

mod serving;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::time::Duration;

use omniglot_core::{
    Calls, Description, Error, Event, Fault, Guarantees, IsolationKind, Reply, Result, Runtime,
    Step, Timer, Window,
};
use omniglot_verify::LINE;
use omniglot_verify::layout::GATE_CALL;

use super::image::{Image, verified};
use super::memory::RegionMemory;
use super::page::{ABORT, ENTER, GO_ON};
use super::processor;
use super::region::Region;
use crate::enabled::generation;
use crate::enabled::in_process::context::{BELIEVES, RETURNED, USES_AVX, USES_X87};
use crate::enabled::in_process::execution::{Execution, HOST_STACK, NO_EVENT};
use crate::enabled::in_process::features;
use crate::enabled::in_process::gate::{self, Way};
use crate::enabled::in_process::handler::{FAULT, FORKED, STOP};
use crate::enabled::in_process::keys::check_plain;
use crate::enabled::in_process::threads::Thread;
use crate::enabled::in_process::x87;
use crate::enabled::interrupt::InterruptHandle;
use crate::enabled::layout::{InRegion, set_strict};
use crate::enabled::learning;
use crate::enabled::listener::Listener;
use crate::enabled::load_spec::environment;
use crate::enabled::report::with_last_words;
use crate::enabled::requests;
use crate::enabled::start::check_permissions;
use crate::enabled::timer;
use crate::enabled::tree::Tree;
use crate::enabled::world;
use crate::options::Options;

/// A foreign library in the host's process, on the caller's thread, whose machine code was proved
/// to stay in 4 GiB of its own: it can access its own memory only, without anything of the
/// processor's or the kernel's that would keep it there.
///
/// Needs x86-64 with FSGSBASE and Linux 5.9, and a library that was
/// [built for it](Description::sandboxed). What it asks the system for is answered in its own memory,
/// as in other runtimes. It can load no library, and has one thread.
pub struct Sfi {
    /// After the window that is of it.
    memory: RegionMemory,
    window: Window,
    image: Arc<Image>,
    description: Description,
    execution: Execution,
    start_timeout: Duration,
    options: Options,
    /// Its environment: `NAME=value`.
    environment: Vec<Vec<u8>>,
    /// What its server shares with the host; `None` if it has none.
    control: Option<Window>,
    listener: Option<Listener>,
    /// How much the library had written when the last outermost call ended.
    heard: u64,
    /// The last outermost call for which its server was told the time.
    told: u64,
    /// What ended a call, in this life.
    ended_by: Option<Error>,
    /// While its constructors run: a C library asks for things then that nobody needs later.
    is_loading: bool,
    /// Tells this life from all others in the process.
    life: u64,
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
    /// [`Error::Load`] where there is no such image, or it is refused; [`Error::Unsupported`] where
    /// the machine lacks something, or an option is for other runtimes or beyond what a region has;
    /// [`Error::System`]; what ended its constructors.
    pub fn start(description: &Description, options: &Options) -> Result<Self> {
        let generation = generation::current()?;
        check_plain()?;
        check_permissions(options)?;
        let image = verified(sandboxed(description, options)?)?;
        image.check(description)?;
        check_server(&image, options)?;
        let environment = environment(options)?;
        let tree = Tree::build(options)?;
        let memory = RegionMemory::map(Region::take(generation)?, &image, tree.as_ref(), options)?;
        let window = memory.window()?;
        let control = image.control.map(|_| memory.control()).transpose()?;
        let mut domain = Self {
            memory,
            window,
            image,
            description: *description,
            execution: Execution::new(options.timeout, generation),
            start_timeout: options.start_timeout,
            options: options.clone(),
            environment,
            control,
            listener: options.output.clone().map(Listener::new),
            heard: 0,
            told: 0,
            ended_by: None,
            is_loading: false,
            life: 0,
        };
        domain.prepare(options);
        domain.begin_life(Calls::new().renumber())?;
        // What was to stop the constructors, and comes late, stops no call.
        // The old context stays until handlers no longer find it.
        let loading =
            std::mem::replace(&mut domain.execution, Execution::new(options.timeout, generation));
        // The constructors' call had the number that the first call has again.
        domain.told = 0;
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
        // Without AVX the image's code for it does not run, and neither may the gate's.
        let (vectors, known) =
            if is_x86_feature_detected!("avx") { (features::AVX, !0) } else { (0, !USES_AVX) };
        let used = self.image.features() & known;
        self.execution.context.features.store(vectors | believes | used, Relaxed);
        self.execution.context.region.store(self.base(), Relaxed);
        self.memory.region().announce(&self.execution.context);
    }

    /// Takes what the library has to say before its memory goes.
    fn end_life(&mut self) {
        let (Ok(()), Some(control)) = (self.execution.check_process(), &self.control) else {
            return;
        };
        if let Some(listener) = &mut self.listener {
            listener.hear(control, true);
        }
        learning::note(self.description.name, control, self.ended_by.take().as_ref());
    }

    /// Notes how much the library has written, and hands it on.
    #[cold]
    fn listen(&mut self) {
        let (Ok(()), Some(control)) = (self.execution.check_process(), &self.control) else {
            return;
        };
        if let Some(listener) = &mut self.listener {
            listener.hear(control, false);
        }
        self.heard = requests::said(control).unwrap_or(self.heard);
    }

    /// Whether the library wrote something since the last outermost call.
    #[inline(always)]
    fn has_spoken(&self) -> bool {
        let said = self.control.as_ref().map(requests::said);
        said.is_some_and(|said| said != Ok(self.heard))
    }

    /// A call ended with an error.
    #[cold]
    fn end(&mut self, error: Error) -> Error {
        self.ended_by = Some(error);
        self.listen();
        error
    }

    /// What the library asked for and was answered with an error: see
    /// [`Process::requests`](crate::Process::requests). An image without a C library has nobody to
    /// write that down.
    ///
    /// ```
    /// # use omniglot_linux::*;
    /// # fn example(runtime: &Sfi) -> omniglot_core::Result<()> {
    /// // `runtime` is `instance.runtime()`.
    /// for request in runtime.requests()? {
    ///     eprintln!("{} {} failed with {}", request.system_call, request.path, request.error);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Forked`] in a forked child.
    pub fn requests(&self) -> Result<Vec<crate::request::Request>> {
        self.execution.check_process()?;
        self.control.as_ref().map_or_else(|| Ok(Vec::new()), requests::read)
    }

    /// The last lines that the library wrote to its standard output and error: see
    /// [`Process::output`](crate::Process::output).
    ///
    /// ```
    /// # use omniglot_linux::*;
    /// # fn example(runtime: &Sfi) -> omniglot_core::Result<()> {
    /// // `runtime` is `instance.runtime()`.
    /// for line in runtime.output()?.lines() {
    ///     eprintln!("the library says: {line}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Forked`] in a forked child.
    pub fn output(&self) -> Result<String> {
        self.execution.check_process()?;
        self.control.as_ref().map_or_else(|| Ok(String::new()), requests::output)
    }

    /// Fills in the words that the host sets, and runs the constructors, as a call of that number.
    fn begin_life(&mut self, number: u64) -> Result<()> {
        static LIVES: AtomicU64 = AtomicU64::new(0);
        self.life = LIVES.fetch_add(1, Relaxed) + 1;
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
        if let Some(place) = self.image.processor {
            processor::tell(&mut self.window, place)?;
        }
        self.tell_world()?;
        if self.image.start != 0 {
            self.run_constructors(number)?;
        }
        let Some(control) = &mut self.control else { return Ok(()) };
        set_strict(control, self.options.strict)?;
        self.heard = requests::said(control)?;
        Ok(())
    }

    /// Writes what the server in the domain must know of the host.
    fn tell_world(&mut self) -> Result<()> {
        let plan = &self.memory.plan;
        let (Some(control), Some(word)) = (&mut self.control, self.image.control) else {
            return Ok(());
        };
        let orders = InRegion {
            window: self.window.start()..self.window.start() + self.window.len(),
            stack: plan.stack.clone(),
            heap: plan.heap.clone(),
            tree: plan.tree.clone(),
            accessible: &self.memory.accessible(),
            options: &self.options,
            environment: &self.environment,
            time: world::time(&self.options),
        };
        orders.write(control)?;
        self.window.write(word, &(plan.control.start as u64).to_ne_bytes())
    }

    /// Runs the constructors, as a call of that number.
    fn run_constructors(&mut self, number: u64) -> Result<()> {
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
    #[inline(always)]
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
        self.run_foreign_code(thread, Way::Call, calls)
    }

    /// Answers the innermost callback.
    #[inline(always)]
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
        self.run_foreign_code(thread, Way::Jump, calls)
    }

    /// The line that an entry is in: where verified code may be entered (H3).
    const fn line(&self, entry: usize) -> u64 {
        entry as u32 as u64 / LINE * LINE
    }

    /// Runs foreign code until the next event that is the session's.
    #[inline(always)]
    fn run_foreign_code(
        &mut self,
        thread: &'static Thread,
        way: Way,
        calls: &mut Calls,
    ) -> Result<Event> {
        let event = self.run_stretch(thread, way, calls)?;
        match event {
            Event::Callback { slot, arguments } if slot >= ABORT => {
                self.serve(slot, arguments, thread, calls)
            }
            _ => Ok(event),
        }
    }

    /// Runs foreign code until it leaves.
    #[inline(always)]
    fn run_stretch(
        &mut self,
        thread: &'static Thread,
        way: Way,
        calls: &mut Calls,
    ) -> Result<Event> {
        let event = if calls.time.is_limited() {
            match self.cross_limited(thread, way, calls) {
                Ok(event) => event,
                Err(error) => {
                    // Before foreign code ran: the call is over, and others may work.
                    self.execution.end(calls.depth());
                    return Err(error);
                }
            }
        } else {
            self.cross(thread, way)
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
    fn cross_limited(
        &mut self,
        thread: &'static Thread,
        way: Way,
        calls: &mut Calls,
    ) -> Result<u32> {
        let since = self.execution.announce(&calls.time)?;
        let event = self.cross(thread, way);
        self.execution.withdraw(since, event == RETURNED, calls);
        Ok(event)
    }

    #[inline(always)]
    fn cross(&self, thread: &'static Thread, way: Way) -> u32 {
        let context = &*self.execution.context;
        // From before the rest, which a handler's call would change.
        let event = thread.inside(context, || {
            // A handler may have forked since the last look.
            if self.execution.check_process().is_err() {
                return NO_EVENT;
            }
            context.thread_id.store(thread.id(), Release);
            if thread.begins_life(self.life) {
                self.forget_float_status();
            }
            // SAFETY: `next` was just stored, all else when the domain was made: the target is a
            // line of the region or of its gates, the stack in the region (invariant 18); `&mut
            // self` in the callers keeps other threads out (invariant 8).
            unsafe { gate::enter_sfi(context, way) }
        });
        context.thread_id.store(0, Release);
        event
    }

    /// Another life has run on the thread since this one did, if ever: it must not have left flags in
    /// the x87 unit's status word, which the gate does not read.
    #[cold]
    fn forget_float_status(&self) {
        if self.image.features() & USES_X87 != 0 {
            x87::forget_status();
        }
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
        self.with_place(fault, instruction)
    }

    /// With the place, and with what the library wrote last in this call.
    fn with_place(&self, fault: Fault, instruction: usize) -> Fault {
        let place = self.image.describe(self.description.name, instruction);
        let fault = Fault { place, ..fault };
        match &self.control {
            Some(control) => with_last_words(fault, control, self.heard),
            None => fault,
        }
    }
}

/// The image for this runtime, where the options are its own, too.
fn sandboxed(description: &Description, options: &Options) -> Result<&'static [u8]> {
    let Some(image) = description.sandboxed() else {
        return Err(Error::Load(omniglot_core::Text::new(
            "the library has no sandboxed image: build it with Library::sandboxed()",
        )));
    };
    let Options { libraries, library_directories, .. } = options;
    if !libraries.is_empty() || !library_directories.is_empty() {
        return Err(Error::Unsupported {
            what: "with Isolation::Sfi no shared library can be loaded",
            remedy: "use Isolation::Process, or put the library's archive into the image",
        });
    }
    Ok(image)
}

impl Drop for Sfi {
    fn drop(&mut self) {
        self.end_life();
    }
}

/// Checks that what the user gives the library has somebody to hand it on.
fn check_server(image: &Image, options: &Options) -> Result<()> {
    let is_for_server = !options.files.is_empty()
        || !options.environment.is_empty()
        || options.clock.is_some()
        || options.seed.is_some()
        || options.tmp > 0
        || options.output.is_some()
        || !options.plugin_directories.is_empty();
    if image.control.is_none() && is_for_server {
        return Err(Error::Unsupported {
            what: "the sandboxed image has no system-call server",
            remedy: "files, environment, clock, seed, a /tmp, plugins and lines need one, which \
                     Library::sandboxed puts into it; or use Isolation::Process",
        });
    }
    Ok(())
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
        let outcome = match step {
            Step::Call { entry, arguments } => self.enter(entry, arguments, calls),
            Step::Resume(reply) => self.resume(reply, calls),
        };
        outcome.map_err(|error| self.end(error))
    }

    fn kill(&mut self) {
        self.execution.kill();
    }

    /// The domain's registers are the host's between calls, so memory is all that there is.
    fn reload(&mut self, calls: &mut Calls) -> Result<()> {
        self.execution.check_process()?;
        self.kill();
        self.end_life();
        self.execution.forget();
        self.memory.restore()?;
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
        if self.has_spoken() {
            self.listen();
        }
    }

    fn limit_changed(&mut self, time: &Timer) {
        self.execution.limit_changed(time);
    }
}
