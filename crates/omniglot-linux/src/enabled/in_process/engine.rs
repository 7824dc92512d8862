//! The runtime in the host's process: foreign code runs on the caller's thread, with or without a
//! protection key.
#![allow(unsafe_code)]

mod explaining;
mod lives;

use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, Release, SeqCst};
use std::sync::atomic::compiler_fence;
use std::time::Duration;

use omniglot_core::{
    Calls, Description, Error, Event, Guarantees, IsolationKind, Reply, Result, Runtime, Step,
    Timer, Window,
};

use super::context::{CONTEXTS, GateContext, RETURNED, STOPPED};
use super::execution::{Execution, HOST_STACK, NO_EVENT};
use super::fs_base::FsBaseAnalysis;
use super::gadgets::{changes, code};
use super::gate::{self, Way};
use super::keys::{DomainKey, check_segments, check_support};
use super::loading::{HandOff, Loaded, load};
use super::memory::Memory;
use super::places;
use super::sfi::region;
use super::threads::Thread;
use crate::enabled::generation;
use crate::enabled::interrupt::InterruptHandle;
use crate::enabled::layout::Layout;
use crate::enabled::listener::Listener;
use crate::enabled::load_spec::LoadSpec;
use crate::enabled::tables::Tables;
use crate::enabled::timer;
use crate::options::Options;

/// What keeps foreign code in the host's process from the host's memory.
#[doc(hidden)]
pub trait Protection: fmt::Debug + Send + 'static {
    /// Whether it is a protection key.
    const IS_KEY: bool;
}

/// A protection key.
#[doc(hidden)]
#[derive(Debug)]
pub enum Key {}

/// Nothing.
#[doc(hidden)]
#[derive(Debug)]
pub enum Nothing {}

impl Protection for Key {
    const IS_KEY: bool = true;
}

impl Protection for Nothing {
    const IS_KEY: bool = false;
}

/// A foreign library in the host's process, on the caller's thread, behind a protection
/// key: foreign code can access its own memory only.
///
/// **Experimental**: it was tested on emulated processors only.
/// [`Isolation::Auto`](crate::Isolation::Auto) never takes it.
///
/// Needs x86-64 with PKU and FSGSBASE, and Linux 6.12. A process has 15 keys, of which
/// one is for all domains and one for each.
pub type ProtectionKeys = InProcess<Key>;

/// A foreign library in the host's own process, on the caller's thread, **without
/// isolation**: it can read and write all of the host's memory.
///
/// It costs what protection keys would cost without their register writes: a baseline for
/// measurements, and for tests on machines without keys. Nothing selects it but its `unsafe`
/// constructor. Values are checked as everywhere, and what ends a call by accident is still an
/// error of that call: faults, endless loops, `exit`, system calls.
pub type Unprotected = InProcess<Nothing>;

/// A foreign library in the host's process, behind a key or not: see [`ProtectionKeys`] and
/// [`Unprotected`].
pub struct InProcess<P: Protection> {
    memory: Memory,
    /// Dropped after the memory that has it.
    key: Option<DomainKey>,
    window: Window,
    layout: Layout,
    tables: Tables,
    hand_off: HandOff,
    description: Description,
    options: Options,
    /// Its environment.
    environment: Vec<Vec<u8>>,
    /// The address of the host's files in the domain.
    tree: Option<usize>,
    /// What its server noted while the library was loaded.
    world: Vec<u8>,
    /// Where its libraries may be.
    readable: Vec<PathBuf>,
    listener: Option<Listener>,
    /// How much the library had written when the last outermost call ended.
    heard: u64,
    /// What ended a call, in this life.
    ended_by: Option<Error>,
    /// Dropped before the context that it makes known.
    exit: Exit,
    execution: Execution,
    fs_base: FsBaseAnalysis,
    protection: PhantomData<fn() -> P>,
}

/// The domain's index in the table of contexts.
#[derive(Debug)]
struct Exit(usize);

impl Exit {
    fn open(context: &Arc<GateContext>) -> Result<Self> {
        let pointer = Arc::as_ptr(context).cast_mut();
        for (index, place) in CONTEXTS.iter().enumerate() {
            if place.compare_exchange(null_mut(), pointer, Release, Relaxed).is_ok() {
                return Ok(Self(index));
            }
        }
        Err(Error::Unsupported {
            what: "the process has 1024 domains already",
            remedy: "drop some, or use Isolation::Process",
        })
    }
}

impl Drop for Exit {
    fn drop(&mut self) {
        if let Some(place) = CONTEXTS.get(self.0) {
            place.store(null_mut(), Release);
        }
    }
}

impl<P: Protection> fmt::Debug for InProcess<P> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("InProcess")
            .field("library", &self.description.name)
            .field("isolation", &self.isolation())
            .finish_non_exhaustive()
    }
}

impl ProtectionKeys {
    /// Loads a library in a confined worker process, and moves it into this one, behind
    /// a key.
    ///
    /// ```
    /// use omniglot_core::Description;
    /// use omniglot_linux::{ProtectionKeys, Options};
    ///
    /// # fn example(description: &'static Description) -> omniglot_core::Result<()> {
    /// let mut options = Options::default();
    /// options.memory_limit = 256 << 20;
    /// // `description` is `Parts::<ProtectionKeys>::DESCRIPTION`, of a generated type.
    /// let runtime = ProtectionKeys::start(description, &options)?;
    /// // let mut parts = Parts::from_runtime(runtime);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Linux::start`](crate::Linux::start); [`Error::NoKeyLeft`] if all keys are in
    /// use; [`Error::Unsupported`] if processor, kernel or the process's own code do not
    /// allow it: the text says what.
    pub fn start(description: &Description, options: &Options) -> Result<Self> {
        Self::load(description, options)
    }

    /// What this machine lacks for it, if anything.
    ///
    /// ```
    /// match omniglot_linux::ProtectionKeys::check() {
    ///     Ok(()) => println!("protection keys can be used"),
    ///     Err(error) => println!("{error}"), // says what is missing
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Error::Unsupported`].
    pub fn check() -> Result<()> {
        check_support()
    }
}

impl Unprotected {
    /// Loads a library in a confined worker process, and moves it into this one: Linux
    /// 5.11 or later, on a processor with FSGSBASE.
    ///
    /// ```
    /// use omniglot_core::Description;
    /// use omniglot_linux::{Options, Unprotected};
    ///
    /// # fn example(description: &'static Description) -> omniglot_core::Result<()> {
    /// // SAFETY: to debug it, the library is trusted with this process.
    /// let runtime = unsafe { Unprotected::start(description, &Options::default())? };
    /// // let mut parts = Parts::from_runtime(runtime);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Linux::start`](crate::Linux::start).
    ///
    /// # Safety
    /// The library, whatever it is called with, must neither read nor write memory of the process
    /// outside its own domain, nor jump elsewhere, and must treat the processor's control registers
    /// as C code compiled for this platform does.
    pub unsafe fn start(description: &Description, options: &Options) -> Result<Self> {
        Self::load(description, options)
    }
}

fn check_no_regions() -> Result<()> {
    if region::exist() {
        return Err(Error::Unsupported {
            what: "the process has verified code, which was not looked at for keys' sake",
            remedy: "use one of the two in a process, or Isolation::Process",
        });
    }
    Ok(())
}

impl<P: Protection> InProcess<P> {
    /// Loads a library, behind a protection key or not.
    fn load(description: &Description, options: &Options) -> Result<Self> {
        let generation = generation::current()?;
        check_segments()?;
        let key = if P::IS_KEY {
            // Before a key is there, too: a start that fails keeps nobody from using regions.
            check_no_regions()?;
            let key = DomainKey::allocate(generation)?;
            check_no_regions()?;
            Some(key)
        } else {
            None
        };
        let spec = LoadSpec::new(description, options)?;
        let number = key.as_ref().map(|key| key.number);
        let Loaded { memory, layout, tables, hand_off, tree, world } =
            load(&spec, generation, number)?;
        if key.is_some() {
            code::check_process()?;
        }
        let window = memory.window();
        let execution = Execution::new(options.timeout, generation);
        let exit = Exit::open(&execution.context)?;
        let mut domain = Self {
            memory,
            key,
            window,
            layout,
            tables,
            hand_off,
            description: *description,
            tree,
            world,
            readable: spec.readable,
            listener: spec.options.output.clone().map(Listener::new),
            heard: 0,
            ended_by: None,
            environment: spec.environment,
            options: spec.options,
            execution,
            exit,
            fs_base: FsBaseAnalysis::new(),
            protection: PhantomData,
        };
        domain.prepare()?;
        Ok(domain)
    }

    /// Starts a call at that depth.
    #[inline(always)]
    fn enter(&mut self, entry: usize, arguments: usize, calls: &mut Calls) -> Result<Event> {
        let thread = Thread::current(self.execution.generation())?;
        thread.check_outside()?;
        if !thread.has_stack(HOST_STACK) {
            return Err(Error::TooDeep { limit: calls.depth() });
        }
        let needs = self.fs_base.need_thread_pointer(entry, &self.memory, &self.window);
        self.set_thread_pointer(needs);
        self.begin(calls.depth(), self.hand_off.call, entry, arguments);
        self.run_foreign_code(thread, Way::Call, calls)
    }

    /// Answers the innermost callback.
    #[inline(always)]
    fn resume(&mut self, reply: Reply, calls: &mut Calls) -> Result<Event> {
        let thread = Thread::current(self.execution.generation())?;
        thread.check_outside()?;
        // Code that calls back was not analysed to its end.
        self.set_thread_pointer(true);
        self.execution.go_on();
        let (target, argument) = match reply {
            Reply::Return => (places::go_on(), 0),
            // Runs in the callback's place; if it returns, it returns to the trampoline.
            Reply::Raise { entry, arguments } => (entry, arguments),
        };
        self.execution.aim(target as u64, 0, argument as u64);
        self.run_foreign_code(thread, Way::Jump, calls)
    }

    /// Makes the gate load foreign code's own thread pointer, or leave the host's.
    #[inline(always)]
    fn set_thread_pointer(&self, is_needed: bool) {
        let pointer = if is_needed { self.hand_off.thread_pointer as u64 } else { 0 };
        self.execution.context.foreign_thread.store(pointer, Relaxed);
    }

    /// A call begins: at `target`, which calls `entry`.
    #[inline(always)]
    fn begin(&mut self, depth: u32, target: usize, entry: usize, arguments: usize) {
        self.execution.begin(depth, self.hand_off.stack as u64);
        self.execution.aim(target as u64, entry as u64, arguments as u64);
    }

    /// Runs foreign code until the next event.
    #[inline(always)]
    fn run_foreign_code(
        &mut self,
        thread: &'static Thread,
        way: Way,
        calls: &mut Calls,
    ) -> Result<Event> {
        let event = if !P::IS_KEY && !calls.time.is_limited() {
            self.cross(thread, way)
        } else {
            match self.cross_prepared(thread, way, calls) {
                Ok(event) => event,
                Err(error) => {
                    // Foreign code did not run: the call is over, and other threads may continue.
                    self.execution.end(calls.depth());
                    return Err(error);
                }
            }
        };
        match self.execution.accept(event, calls) {
            Ok(event) => Ok(event),
            Err(error) => Err(error.unwrap_or_else(|| self.explain(calls))),
        }
    }

    /// The same with a key, or with a time limit. Not inlined, so that other calls save no
    /// registers for it.
    #[inline(never)]
    fn cross_prepared(
        &mut self,
        thread: &'static Thread,
        way: Way,
        calls: &mut Calls,
    ) -> Result<u32> {
        self.admit(thread, calls)?;
        let since = self.execution.announce(&calls.time)?;
        let event = self.cross_settled(thread, way, calls);
        self.execution.withdraw(since, event == Ok(RETURNED), calls);
        event
    }

    /// Crosses, as soon as all code of the process was looked at: nothing has run before.
    #[inline]
    fn cross_settled(&self, thread: &'static Thread, way: Way, calls: &Calls) -> Result<u32> {
        loop {
            let event = self.cross(thread, way);
            if event != changes::UNSETTLED {
                return Ok(event);
            }
            self.execution.check_process()?;
            self.settle_for(calls)?;
        }
    }

    /// Gets ready for a stretch behind a key: thread and process.
    #[inline]
    fn admit(&self, thread: &'static Thread, calls: &Calls) -> Result<()> {
        let Some(key) = &self.key else {
            return Ok(());
        };
        thread.admit(key.page)?;
        if changes::are_settled() { Ok(()) } else { self.settle_for(calls) }
    }

    /// Waits until all code of the process was looked at.
    ///
    /// # Errors
    /// What is wrong with the code, or why the call must stop.
    #[cold]
    fn settle_for(&self, calls: &Calls) -> Result<()> {
        // What waits for a thread of its parent's waits for ever in a child that a handler forked.
        let is_copied = || self.execution.check_process().is_err();
        let settled = code::check_changes(|| self.execution.context.must_stop() || is_copied());
        if self.execution.context.must_stop() {
            return Err(self.execution.stopped(calls));
        }
        settled
    }

    #[inline(always)]
    fn cross(&self, thread: &'static Thread, way: Way) -> u32 {
        let context = &*self.execution.context;
        // Before everything else, which a call made by a handler would change.
        let event = thread.inside(context, || self.cross_inside(context, thread, way));
        context.thread_id.store(0, Release);
        event
    }

    #[inline(always)]
    fn cross_inside(&self, context: &GateContext, thread: &Thread, way: Way) -> u32 {
        // A handler may have forked since the last check. From here on its child has pages for what
        // is written.
        if self.execution.check_process().is_err() {
            return NO_EVENT;
        }
        context.host_thread.store(thread.pointer as u64, Relaxed);
        context.selector.store(thread.selector.load(Relaxed), Relaxed);
        context.is_saved.store(false, Relaxed);
        context.thread_id.store(thread.id(), Release);
        if let Some(key) = &self.key
            && P::IS_KEY
        {
            return self.cross_keyed(key, thread, way);
        }
        // SAFETY: all of it was just stored, the domain's number and memory when it was made;
        // `&mut self` in the callers keeps other threads out (invariant 8).
        unsafe { gate::enter(context, way) }
    }

    /// The same behind a key.
    #[inline(never)]
    fn cross_keyed(&self, key: &DomainKey, thread: &Thread, way: Way) -> u32 {
        let context = &self.execution.context;
        // SAFETY: the processor has keys, since the domain has one (invariant 17).
        let rights = unsafe { places::rights() };
        context.host_rights.store(rights, Relaxed);
        key.set_host(rights);
        if !context.write_next() {
            return NO_EVENT;
        }
        // What a handler changes before this, `run_on` sees; and the gate what one changes later.
        context.is_barred.store(0, Relaxed);
        compiler_fence(SeqCst);
        let Some(_runs) = key.run_on(thread, self.execution.generation()) else {
            return changes::UNSETTLED;
        };
        // SAFETY: all of it was just stored, or when the domain was made; `&mut self`
        // in the callers keeps other threads out (invariant 8).
        match unsafe { gate::enter_keyed(context, way) } {
            STOPPED if !context.must_stop() => changes::UNSETTLED,
            event => event,
        }
    }

    /// A call ended with an error. A child that a handler forked on the way of a call is told that,
    /// whatever it lacked.
    #[cold]
    fn end(&mut self, error: Error) -> Error {
        let error = self.execution.check_process().err().unwrap_or(error);
        self.ended_by = Some(error);
        self.listen();
        error
    }
}

impl<P: Protection> Drop for InProcess<P> {
    fn drop(&mut self) {
        self.end_life();
    }
}

// SAFETY: the window is the domain's memory (invariants 1 to 3). Foreign code runs on the
// caller's thread inside `run` only, which takes `&mut self`. Behind a key it accesses only
// memory with the domain's key, and to read the shared page (invariant 10). Without one, that it
// writes no other memory is the promise of who called `start`; types, aliasing and containment
// follow from it, and memory is not claimed. `accept` checks the process before it reports an
// event (invariant 6).
unsafe impl<P: Protection> Runtime for InProcess<P> {
    const GUARANTEES: Guarantees =
        Guarantees { memory: P::IS_KEY, types: true, aliasing: true, containment: true };
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
        self.layout.exchange()
    }

    #[inline]
    fn shim(&self, index: u32) -> Option<usize> {
        self.tables.shims.get(index as usize).copied()
    }

    fn trampoline(&self, slot: u32) -> Option<usize> {
        self.tables.trampolines.get(slot as usize).copied()
    }

    fn isolation(&self) -> IsolationKind {
        if P::IS_KEY { IsolationKind::ProtectionKeys } else { IsolationKind::Unprotected }
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

    /// Between calls a domain has no registers of its own, so its memory is all its state.
    fn reload(&mut self, _calls: &mut Calls) -> Result<()> {
        self.execution.check_process()?;
        self.kill();
        self.end_life();
        self.execution.forget();
        self.memory.restore()?;
        self.begin_life()?;
        self.renew_canary()?;
        Ok(())
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
        if self.has_asked() {
            self.listen();
        }
    }

    fn limit_changed(&mut self, time: &Timer) {
        self.execution.limit_changed(time);
    }
}
