//! What every runtime in the host's process has alike: the calls of a domain, their time, and what
//! foreign code left when it stopped.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{Duration, Instant};

use omniglot_core::{Calls, Error, Event, Fault, FaultKind, Result, Text, Timer, Window, faults};

use super::calls::Stacks;
use super::context::{ABANDONED, CALLED_BACK, GateContext, RETURNED, STOPPED};
use super::interrupter::Interrupter;
use super::watchdog::{self, Clock};
use crate::enabled::generation;
use crate::enabled::interrupt::InterruptHandle;
use crate::enabled::report::kind_of;
use crate::enabled::timer;

/// What the host needs of its own stack for one level of calls and callbacks.
pub(super) const HOST_STACK: usize = 128 << 10;
/// What a crossing that did not happen gives: no number of the gate's.
pub(super) const NO_EVENT: u32 = STOPPED + 1;

/// A domain's calls on the threads that make them.
pub(super) struct Execution {
    pub(super) context: Arc<GateContext>,
    stacks: Stacks,
    clock: Option<Clock>,
    time_limit: Option<Duration>,
    generation: u64,
    /// The window as a forked child, which does not have the memory, sees it: empty.
    nothing: Window,
}

impl Execution {
    /// None has begun. `time_limit` is that of each outermost call.
    pub(super) fn new(time_limit: Option<Duration>, generation: u64) -> Self {
        Self {
            context: Arc::new(GateContext::default()),
            stacks: Stacks::default(),
            clock: None,
            time_limit,
            generation,
            nothing: Window::empty(),
        }
    }

    /// The generation of processes that the domain belongs to.
    #[inline(always)]
    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    /// The domain's window in the process that has its memory; an empty one in a forked child.
    #[inline]
    pub(super) fn window<'a>(&'a self, window: &'a Window) -> &'a Window {
        if self.check_process().is_ok() { window } else { &self.nothing }
    }

    /// Checks that this is the process that has the domain's memory.
    ///
    /// # Errors
    /// [`Error::Forked`].
    #[inline]
    pub(super) fn check_process(&self) -> Result<()> {
        generation::check(self.generation)
    }

    /// Gives a call that begins at that depth its stack, which starts at `bottom` if no other call
    /// waits.
    #[inline(always)]
    pub(super) fn begin(&mut self, depth: u32, bottom: u64) {
        self.stacks.begin(depth, bottom, &self.context.left, &self.context.next);
    }

    /// Gives the innermost call the registers back with which it called back.
    #[inline(always)]
    pub(super) fn go_on(&mut self) {
        self.stacks.go_on(&self.context.left, &self.context.next);
    }

    /// The innermost call has ended at that depth, before or after its code ran.
    #[inline]
    pub(super) fn end(&mut self, depth: u32) {
        self.stacks.end(depth);
    }

    /// Abandons all calls: what waits on the foreign stack is never resumed.
    pub(super) fn clear(&mut self) {
        self.stacks.clear();
    }

    /// Abandons all calls, and clears what foreign code left.
    pub(super) fn forget(&mut self) {
        self.stacks.clear();
        self.context.forget();
    }

    /// Determines where foreign code continues, with which function to call and which argument.
    #[inline(always)]
    pub(super) fn aim(&self, target: u64, entry: u64, argument: u64) {
        let next = &self.context.next;
        next.target.store(target, Relaxed);
        next.entry.store(entry, Relaxed);
        next.argument.store(argument, Relaxed);
    }

    /// Checks that an event belongs to the innermost call, and that this is still the process in
    /// which the call began.
    ///
    /// # Errors
    /// What is wrong with the event; `None` if foreign code was abandoned, and the context's
    /// outcome says why.
    #[inline(always)]
    pub(super) fn accept(&mut self, event: u32, calls: &Calls) -> Result<Event, Option<Error>> {
        let left = &self.context.left;
        let stack = faults::number(left.stack.load(Relaxed));
        let began = self.stacks.began();
        if self.check_process().is_ok() {
            if event == RETURNED && stack == began {
                self.stacks.end(calls.depth());
                return Ok(Event::Returned);
            }
            if event == CALLED_BACK && stack < began {
                self.stacks.wait();
                let slot = faults::number(left.entry.load(Relaxed)) as u32;
                let arguments = faults::number(left.argument.load(Relaxed)) as usize;
                return Ok(Event::Callback { slot, arguments });
            }
        }
        Err(self.refuse(event, stack > began, calls))
    }

    #[cold]
    fn refuse(&self, event: u32, is_above: bool, calls: &Calls) -> Option<Error> {
        if let Err(forked) = self.check_process() {
            return Some(forked);
        }
        match event {
            // The stack grows down: what is above belongs to an outer call.
            RETURNED | CALLED_BACK if is_above => Some(Error::NonLocalExit),
            ABANDONED => None,
            STOPPED => Some(self.stopped(calls)),
            _ => Some(Error::Protocol("an event that fits no call")),
        }
    }

    /// Why the call was stopped: its time is over, or it was interrupted.
    pub(super) fn stopped(&self, calls: &Calls) -> Error {
        let is_late = self.context.stop.load(Acquire) & 1 != 0;
        if is_late { calls.time.expired() } else { Error::Interrupted }
    }

    /// The fault that ended foreign code, without its place, and the instruction that caused it.
    ///
    /// `known` gives an address as foreign code knows it; `is_overflow` tells of an accessed
    /// address and a stack pointer whether the stack was exhausted.
    pub(super) fn fault(
        &self,
        known: impl Fn(u64) -> usize,
        is_overflow: impl FnOnce(usize, usize) -> bool,
    ) -> (Fault, usize) {
        let outcome = &self.context.outcome;
        let kind = kind_of(outcome.signal.load(Relaxed).cast_signed());
        let accessed = known(outcome.address.load(Relaxed));
        let instruction = known(outcome.instruction.load(Relaxed));
        let stack = known(outcome.stack.load(Relaxed));
        let has_address = matches!(kind, FaultKind::Access | FaultKind::Bus);
        let overflow = kind == FaultKind::Access && is_overflow(accessed, stack);
        let fault = Fault {
            kind: if overflow { FaultKind::StackOverflow } else { kind },
            address: if has_address { accessed } else { instruction },
            place: Text::default(),
        };
        (fault, instruction)
    }

    /// Makes the watchdog stop foreign code when the call's time is over. Returns when that began,
    /// or `None` if the time is not limited.
    #[inline(always)]
    pub(super) fn announce(&mut self, time: &Timer) -> Result<Option<Instant>> {
        // Asked for itself, so that most calls pass no result on through memory.
        if !time.is_limited() {
            return Ok(None);
        }
        let Some(left) = timer::left(time, None)? else {
            return Ok(None);
        };
        self.announce_for(left).map(Some)
    }

    /// The same, for so long.
    pub(super) fn announce_for(&mut self, left: Duration) -> Result<Instant> {
        let clock = self.watched()?;
        let now = Instant::now();
        clock.announce(&self.context, now, left);
        Ok(now)
    }

    /// Foreign code has stopped: what it took counts.
    #[inline]
    pub(super) fn withdraw(&self, since: Option<Instant>, has_returned: bool, calls: &mut Calls) {
        let Some(since) = since else { return };
        watchdog::withdraw(&self.context);
        // Reading the clock takes half as long as a call: only where it matters later.
        if !has_returned || !calls.is_alone() {
            timer::add(&mut calls.time, since);
        }
    }

    fn watched(&mut self) -> Result<Clock> {
        if let Some(clock) = self.clock {
            return Ok(clock);
        }
        let clock = Clock::watch(&self.context)?;
        self.clock = Some(clock);
        Ok(clock)
    }

    pub(super) fn limit_changed(&mut self, time: &Timer) {
        if time.is_limited() {
            // If there can be no watchdog now, the next call reports that.
            let _ = self.watched();
        }
    }

    pub(super) const fn time_limit(&self) -> Option<Duration> {
        self.time_limit
    }

    pub(super) fn interrupt_handle(&self) -> InterruptHandle {
        let context = Arc::clone(&self.context);
        InterruptHandle::of(Interrupter::new(context, self.generation))
    }

    /// An outermost call of that number begins, which interrupt handles stop.
    #[inline(always)]
    pub(super) fn begin_call(&self, number: u64) {
        self.context.number.store(number, Release);
        self.context.running.store(number, Release);
    }

    #[inline(always)]
    pub(super) fn end_call(&self) {
        self.context.running.store(0, Release);
    }

    #[inline]
    pub(super) fn last_call(&self) -> u64 {
        self.context.number.load(Relaxed)
    }

    /// Ends all calls.
    pub(super) fn kill(&mut self) {
        self.clear();
        self.end_call();
    }
}
