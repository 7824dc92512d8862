//! The state machine of a domain in the host's process.
#![allow(unsafe_code)]

use std::fmt;
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{Duration, Instant};

use omniglot_core::{
    Cause, Description, Error, Event, Fault, FaultKind, Reply, Result, Text, Window, faults,
};
use rustix::rand::{GetRandomFlags, getrandom};

use super::super::filters::name_of;
use super::super::generation;
use super::super::interrupt::InterruptHandle;
use super::super::layout::Layout;
use super::super::load_spec::LoadSpec;
use super::super::report::{kind_of, place_in};
use super::super::system::refused;
use super::super::tables::Tables;
use super::super::timer::Timer;
use super::calls::{Calls, store_fresh};
use super::fs_base::FsBaseAnalysis;
use super::gate::{self, CONTEXTS, GateContext};
use super::handler::{CHANGED, DENIED, EXITED, FAULT, FORKED, STOP};
use super::keys::{DomainKey, Runs, check_segments};
use super::loading::{HandOff, Loaded, load};
use super::memory::Memory;
use super::threads::Thread;
use super::watchdog::{self, Clock};
use super::x87;
use super::{changes, code};
use crate::Options;

/// What the host needs of its own stack for one level of calls and callbacks.
const HOST_STACK: usize = 128 << 10;
/// How long finding the place of a fault may take, with the wait for a turn where there are any,
/// unless the call has less time left.
const DESCRIBE_LIMIT: Duration = Duration::from_secs(1);

/// What keeps foreign code from the host's memory.
#[derive(Clone, Copy, Debug)]
pub(super) enum Protection {
    None,
    Key,
}

/// A domain in the host's process, and its calls.
pub(super) struct Engine {
    memory: Memory,
    /// After the memory that has it.
    key: Option<DomainKey>,
    window: Window,
    /// What a forked child sees of the window, which it has not: nothing.
    nothing: Window,
    layout: Layout,
    tables: Tables,
    hand_off: HandOff,
    description: Description,
    context: Arc<GateContext>,
    exit: Exit,
    calls: Calls,
    fs_base: FsBaseAnalysis,
    timer: Timer,
    clock: Option<Clock>,
    /// Whether outermost calls are parts of one operation, which they share their time with.
    in_operation: bool,
    /// The number of the last outermost call.
    number: u64,
    poisoned: Option<Cause>,
    generation: u64,
}

/// A domain's place in the table of contexts.
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

impl fmt::Debug for Engine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Engine")
            .field("library", &self.description.name)
            .field("calls", &self.calls.open())
            .field("poisoned", &self.poisoned)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Loads a library, behind a protection key or not.
    pub(super) fn start(
        description: &Description,
        options: &Options,
        protection: Protection,
    ) -> Result<Self> {
        let generation = generation::current()?;
        check_segments()?;
        let key = match protection {
            Protection::None => None,
            Protection::Key => Some(DomainKey::allocate(generation)?),
        };
        let spec = LoadSpec::new(description, options)?;
        let number = key.as_ref().map(|key| key.number);
        let Loaded { memory, layout, tables, hand_off } = load(&spec, generation, number)?;
        if key.is_some() {
            code::check_process()?;
        }
        let window = memory.window();
        // SAFETY: no bytes at all.
        let nothing = unsafe { Window::new(NonNull::dangling(), 0, 0) };
        let context = Arc::new(GateContext::default());
        let exit = Exit::open(&context)?;
        let mut engine = Self {
            memory,
            key,
            window,
            nothing,
            layout,
            tables,
            hand_off,
            description: *description,
            context,
            exit,
            calls: Calls::default(),
            fs_base: FsBaseAnalysis::new(),
            timer: Timer::new(None),
            clock: None,
            in_operation: false,
            number: 0,
            poisoned: None,
            generation,
        };
        engine.prepare(options)?;
        Ok(engine)
    }

    /// Tells the handlers what they must know.
    fn prepare(&mut self, options: &Options) -> Result<()> {
        let domain = &self.context.domain;
        domain.base.store(self.layout.base, Relaxed);
        domain.size.store(self.layout.size, Relaxed);
        domain.alias.store(self.memory.start(), Relaxed);
        domain.allow.store(options.allow.bits(), Relaxed);
        if x87::believes_summary() {
            self.context.features.store(gate::BELIEVES, Relaxed);
        }
        if let Some(key) = &self.key {
            key.announce(&self.context, self.layout.base);
        }
        self.set_timeout(options.timeout);
        self.show_exits()
    }

    /// Tells foreign code where its exits are.
    fn show_exits(&mut self) -> Result<()> {
        let (returns, callbacks) = match &self.key {
            None => gate::exits(self.exit.0),
            Some(key) => gate::keyed_exits(key.number),
        };
        let mut cells = [0; 16];
        for (cell, value) in cells.chunks_exact_mut(8).zip([returns, callbacks]) {
            cell.copy_from_slice(&value.to_ne_bytes());
        }
        self.memory.check_writable(self.hand_off.cells, cells.len())?;
        self.window.write(self.hand_off.cells, &cells)
    }

    /// Brings the domain back to the state after loading. Its registers are the host's
    /// between calls, so memory is all that there is.
    pub(super) fn reset(&mut self) -> Result<()> {
        generation::check(self.generation)?;
        self.abandon(Cause::Reset);
        self.context.forget();
        self.calls = Calls::default();
        self.memory.restore()?;
        self.show_exits()?;
        self.renew_canary()?;
        self.poisoned = None;
        Ok(())
    }

    /// Gives the domain another stack protector's canary, since the last life knew the one it
    /// had. No frame of before is ever returned to, so nobody remembers that.
    fn renew_canary(&mut self) -> Result<()> {
        /// In the thread's control block: System V ABI for x86-64 as glibc and compilers have it.
        const PLACE: usize = 0x28;
        let place = self.hand_off.thread_pointer.wrapping_add(PLACE);
        let mut canary = [0; 8];
        if self.check_writable(place, canary.len()).is_err() {
            return Ok(()); // a thread pointer that is none, of a library that uses none
        }
        // The lowest byte stays 0, so that no string runs over it (glibc's _dl_setup_stack_chk_guard).
        getrandom(&mut canary[1..], GetRandomFlags::empty()).map_err(refused("random bytes"))?;
        self.window.write(place, &canary)
    }

    #[inline]
    pub(super) fn window(&self) -> &Window {
        match generation::check(self.generation) {
            Ok(()) => &self.window,
            Err(_) => &self.nothing,
        }
    }

    pub(super) fn write(&mut self, address: usize, bytes: &[u8]) -> Result<()> {
        generation::check(self.generation)?;
        self.check_writable(address, bytes.len())?;
        self.window.write(address, bytes)
    }

    #[inline]
    pub(super) fn check_alive(&self) -> Result<()> {
        generation::check(self.generation)
    }

    #[inline]
    pub(super) fn check_writable(&self, address: usize, len: usize) -> Result<()> {
        self.check_alive()?;
        self.window.check(address, len)?;
        self.memory.check_writable(address, len)
    }

    pub(super) fn exchange(&self) -> (usize, usize) {
        self.layout.exchange()
    }

    #[inline]
    pub(super) fn shim(&self, index: u32) -> Option<usize> {
        self.tables.shims.get(index as usize).copied()
    }

    pub(super) fn trampoline(&self, slot: u32) -> Option<usize> {
        self.tables.trampolines.get(slot as usize).copied()
    }

    /// Checks that foreign code may run here and now.
    #[inline]
    fn check(&self) -> Result<()> {
        generation::check(self.generation)?;
        match self.poisoned {
            None => Ok(()),
            Some(by) => Err(Error::Poisoned { by }),
        }
    }

    pub(super) fn enter(&mut self, entry: usize, arguments: usize) -> Result<Event> {
        self.check()?;
        if self.calls.are_running() {
            return Err(Error::Protocol("a call while foreign code runs"));
        }
        let thread = Thread::current(self.generation)?;
        thread.check_outside()?;
        if !thread.has_stack(HOST_STACK) {
            return Err(Error::TooDeep { limit: self.calls.open() });
        }
        let needs = self.fs_base.need_thread_pointer(entry, &self.memory, &self.window);
        self.set_thread_pointer(needs);
        self.begin(self.hand_off.call, entry, arguments);
        self.run(thread)
    }

    /// Has the gate give foreign code its own thread pointer, or leave the host's.
    #[inline(always)]
    fn set_thread_pointer(&self, is_needed: bool) {
        let pointer = if is_needed { self.hand_off.thread_pointer as u64 } else { 0 };
        self.context.foreign_thread.store(pointer, Relaxed);
    }

    /// A call begins: at `target`, which calls `entry`.
    #[inline(always)]
    fn begin(&mut self, target: usize, entry: usize, arguments: usize) {
        if self.calls.open() == 0 && !self.in_operation {
            self.begin_outermost();
        }
        let next = &self.context.next;
        store_fresh(self.calls.begin(self.hand_off.stack as u64), next);
        next.target.store(target as u64, Relaxed);
        next.entry.store(entry as u64, Relaxed);
        next.argument.store(arguments as u64, Relaxed);
    }

    /// What the user sees as one call begins: it has a number and all the time.
    #[inline(always)]
    fn begin_outermost(&mut self) {
        self.number += 1;
        self.timer.reset();
        self.context.number.store(self.number, Release);
        self.context.running.store(self.number, Release);
    }

    /// An outermost call is over, and with it what the user sees as one, unless more follow.
    #[inline(always)]
    fn end_outermost(&self) {
        if !self.in_operation {
            self.context.running.store(0, Release);
        }
    }

    pub(super) fn begin_operation(&mut self) {
        self.begin_outermost();
        self.in_operation = true;
    }

    pub(super) fn end_operation(&mut self) {
        self.in_operation = false;
        self.end_outermost();
    }

    pub(super) fn resume(&mut self, reply: Reply) -> Result<Event> {
        self.check()?;
        if !self.calls.are_in_callback() {
            return Err(Error::Protocol("an answer to no callback"));
        }
        let thread = Thread::current(self.generation)?;
        thread.check_outside()?;
        // Code that calls back was not followed to its end.
        self.set_thread_pointer(true);
        let next = &self.context.next;
        self.calls.go_on(next);
        let (target, argument) = match reply {
            Reply::Return => (gate::go_on(), 0),
            // In the callback's place: it returns to the trampoline, if it returns.
            Reply::Raise { entry, arguments } => (entry, arguments),
        };
        next.target.store(target as u64, Relaxed);
        next.entry.store(0, Relaxed);
        next.argument.store(argument as u64, Relaxed);
        self.run(thread)
    }

    /// Runs foreign code until the next event.
    #[inline(always)]
    fn run(&mut self, thread: &'static Thread) -> Result<Event> {
        let event = if self.key.is_none() && !self.timer.is_limited() {
            self.cross(thread)
        } else {
            match self.cross_prepared(thread) {
                Ok(event) => event,
                Err(error) => return Err(self.give_up(error)),
            }
        };
        self.accept(event)
    }

    /// The same with a key, or with a time limit. Not inlined, so that other calls save no
    /// registers for it.
    #[inline(never)]
    fn cross_prepared(&mut self, thread: &'static Thread) -> Result<u32> {
        self.admit(thread)?;
        let since = self.announce()?;
        let event = self.cross(thread);
        if let Some(since) = since {
            watchdog::withdraw(&self.context);
            // Reading the clock takes half as long as a call: only where it matters later.
            if event != gate::RETURNED || self.calls.open() > 1 || self.in_operation {
                self.timer.add(since);
            }
        }
        if event == changes::UNSETTLED {
            return Err(unsettled());
        }
        Ok(event)
    }

    /// Gets ready for a stretch behind a key: thread and process.
    #[inline]
    fn admit(&self, thread: &'static Thread) -> Result<()> {
        let Some(key) = &self.key else {
            return Ok(());
        };
        thread.admit(key.keys)?;
        code::check_changes()
    }

    #[inline]
    fn announce(&mut self) -> Result<Option<Instant>> {
        if !self.timer.is_limited() {
            return Ok(None);
        }
        let clock = self.watched()?;
        let left = self.timer.left_at_start()?;
        let now = Instant::now();
        if let Some(left) = left {
            clock.announce(&self.context, now, left);
        }
        Ok(Some(now))
    }

    #[inline(always)]
    fn cross(&self, thread: &'static Thread) -> u32 {
        let context = &*self.context;
        // From before the rest, which a handler's call would change.
        let event = thread.inside(context, || {
            context.host_thread.store(thread.pointer as u64, Relaxed);
            context.selector.store(thread.selector.load(Relaxed), Relaxed);
            context.is_saved.store(false, Relaxed);
            context.thread_id.store(thread.id(), Release);
            if let Some(key) = &self.key {
                return self.cross_keyed(key, thread);
            }
            // SAFETY: all of it was just stored, the domain's number and memory when it was
            // made; `&mut self` in the callers keeps other threads out (invariant 8).
            unsafe { gate::enter(context) }
        });
        context.thread_id.store(0, Release);
        event
    }

    /// The same behind a key.
    fn cross_keyed(&self, key: &DomainKey, thread: &Thread) -> u32 {
        let context = &self.context;
        // SAFETY: the processor has keys, since the domain has one.
        let rights = unsafe { gate::rights() };
        context.host_rights.store(rights, Relaxed);
        key.set_host(rights);
        if !context.write_next() {
            return gate::STOPPED + 1;
        }
        let Some(_runs) = self.run_on(key, thread) else {
            return changes::UNSETTLED;
        };
        // SAFETY: all of it was just stored, or when the domain was made; `&mut self`
        // in the callers keeps other threads out (invariant 8).
        unsafe { gate::enter_keyed(context) }
    }

    /// Has the gate let the thread in, once all code of the process was looked at; none if that
    /// cannot be.
    #[inline]
    fn run_on<'a>(&self, key: &'a DomainKey, thread: &Thread) -> Option<Runs<'a>> {
        loop {
            let runs = key.run_on(thread, self.generation);
            if runs.is_some() {
                return runs;
            }
            code::check_changes().ok()?;
        }
    }

    /// Checks that an event fits the innermost call, and keeps count.
    #[inline(always)]
    fn accept(&mut self, event: u32) -> Result<Event> {
        let left = &self.context.left;
        let stack = faults::number(left.stack.load(Relaxed));
        let began = self.calls.began();
        if event == gate::RETURNED && stack == began {
            self.calls.end();
            if self.calls.open() == 0 {
                self.end_outermost();
            }
            return Ok(Event::Returned);
        }
        if event == gate::CALLED_BACK && stack < began {
            self.calls.wait(left);
            let slot = faults::number(left.entry.load(Relaxed)) as u32;
            let arguments = faults::number(left.argument.load(Relaxed)) as usize;
            return Ok(Event::Callback { slot, arguments });
        }
        let error = self.refuse(event, stack > began);
        Err(self.fail(error))
    }

    /// What is wrong with an event.
    #[cold]
    fn refuse(&mut self, event: u32, is_above: bool) -> Error {
        if let Err(forked) = generation::check(self.generation) {
            return forked;
        }
        match event {
            // The stack grows down: what is above belongs to an outer call.
            gate::RETURNED | gate::CALLED_BACK if is_above => Error::NonLocalExit,
            gate::ABANDONED => self.explain(),
            gate::STOPPED => self.stopped(),
            _ => Error::Protocol("an event that fits no call"),
        }
    }

    fn stopped(&self) -> Error {
        if self.context.stop.load(Acquire) & 1 == 0 {
            return Error::Interrupted;
        }
        Error::Timeout { limit: self.timer.limit().unwrap_or_default() }
    }

    /// Why foreign code was abandoned.
    #[cold]
    fn explain(&mut self) -> Error {
        let outcome = &self.context.outcome;
        let number = outcome.number.load(Relaxed);
        match outcome.kind.load(Relaxed) {
            FAULT => Error::Fault(self.fault()),
            DENIED => Error::SyscallDenied { name: name_of(number), number },
            EXITED => Error::Exited { status: Some((number & 0xff) as i32) },
            STOP => self.stopped(),
            CHANGED => {
                self.abandon(Cause::Interrupted);
                unsettled()
            }
            FORKED => Error::Forked,
            _ => Error::Protocol("an end without a reason"),
        }
    }

    fn fault(&mut self) -> Fault {
        let outcome = &self.context.outcome;
        let kind = kind_of(outcome.signal.load(Relaxed).cast_signed());
        let accessed = outcome.address.load(Relaxed) as usize;
        let instruction = outcome.instruction.load(Relaxed) as usize;
        let stack = outcome.stack.load(Relaxed) as usize;
        let has_address = matches!(kind, FaultKind::Access | FaultKind::Bus);
        let overflow = kind == FaultKind::Access && self.layout.is_stack_overflow(accessed, stack);
        Fault {
            kind: if overflow { FaultKind::StackOverflow } else { kind },
            address: if has_address { accessed } else { instruction },
            place: self.describe(instruction).unwrap_or_default(),
        }
    }

    /// Asks the domain's own dynamic linker where an instruction is: a hint, within the time
    /// that the call has left, from a domain that is not used any more. Its calls are lost, so the stack is free.
    fn describe(&mut self, instruction: usize) -> Result<Text> {
        if self.window.check(instruction, 1).is_err() {
            return Ok(Text::default());
        }
        self.ask(instruction)?;
        place_in(&self.window)
    }

    fn ask(&mut self, instruction: usize) -> Result<()> {
        let thread = Thread::current(self.generation)?;
        let left = self.timer.left_at_start()?.unwrap_or(DESCRIBE_LIMIT);
        super::super::report::ask(&mut self.window, instruction)?;
        let clock = self.watched()?;
        self.calls.clear();
        // A call of its own: what was stopped is the one before.
        self.in_operation = false;
        self.set_thread_pointer(true);
        self.begin(self.hand_off.call, self.hand_off.describe, 0);
        self.admit(thread)?;
        clock.announce(&self.context, Instant::now(), left.min(DESCRIBE_LIMIT));
        let event = self.cross(thread);
        watchdog::withdraw(&self.context);
        match event {
            gate::RETURNED => Ok(()),
            _ => Err(Error::Protocol("no answer about a fault")),
        }
    }

    /// An error before foreign code ran: the call is over, and others may work.
    #[cold]
    fn give_up(&mut self, error: Error) -> Error {
        self.calls.end();
        if self.calls.open() == 0 {
            self.end_outermost();
        }
        self.fail(error)
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

    /// Gives up all calls: what waits on the foreign stack is never resumed.
    pub(super) fn abandon(&mut self, cause: Cause) {
        if self.poisoned.is_none() {
            self.poisoned = Some(cause);
        }
        self.calls.clear();
        self.context.running.store(0, Release);
    }

    pub(super) fn set_timeout(&mut self, limit: Option<Duration>) {
        self.timer.set_limit(limit);
        if limit.is_some() {
            // If there can be no watchdog now, the next call says so.
            let _ = self.watched();
        }
    }

    fn watched(&mut self) -> Result<Clock> {
        if let Some(clock) = self.clock {
            return Ok(clock);
        }
        let clock = Clock::watch(&self.context, self.generation)?;
        self.clock = Some(clock);
        Ok(clock)
    }

    pub(super) fn interrupt_handle(&self) -> InterruptHandle {
        let context = Arc::clone(&self.context);
        InterruptHandle::of(Interrupter { context, generation: self.generation })
    }
}

/// Why foreign code could not go on although the code of the process was looked at.
#[cold]
fn unsettled() -> Error {
    code::check_changes().err().unwrap_or(Error::Interrupted)
}

/// Interrupts the call that a domain is running, from any thread.
#[derive(Clone, Debug)]
pub(in super::super) struct Interrupter {
    context: Arc<GateContext>,
    generation: u64,
}

impl Interrupter {
    pub(in super::super) fn interrupt(&self) {
        let running = self.context.running.load(Acquire);
        if running != 0 && generation::check(self.generation).is_ok() {
            watchdog::stop(&self.context, running, false);
        }
    }
}
