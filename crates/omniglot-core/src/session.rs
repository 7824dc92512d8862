//! One session: the state machine of a domain's calls, the same for every runtime.
//!
//! Poison, depth, time limit and sequence number of calls are kept here and nowhere else. A
//! [`Runtime`] runs foreign code from one step to the next event; whether a step fits, and what
//! an error means for the calls after it, is decided here.
#![allow(unsafe_code)]

use core::fmt;
use core::ops::Deref;
use core::time::Duration;

use crate::calls::{Calls, MAX_DEPTH};
use crate::error::{Cause, Error, Result};
use crate::runtime::{Event, Reply, Runtime, Step};

/// A runtime and the calls in progress.
///
/// Each instance has one. A program that drives a runtime without the core's instances, such as a
/// test of a runtime, makes one:
///
/// ```
/// # use omniglot_core::{Error, Event, Reply, Result, Runtime, Session};
/// /// Runs a shim, and answers its callbacks with what is in their frames already.
/// fn run<R: Runtime>(session: &mut Session<R>, shim: u32, frame: &[u8]) -> Result<()> {
///     let entry = session.runtime().shim(shim).ok_or(Error::Misuse("no such shim"))?;
///     let address = session.runtime().exchange().0;
///     session.write(address, frame)?;
///     let mut event = session.enter(entry, address)?;
///     while event != Event::Returned {
///         event = session.resume(Reply::Return)?;
///     }
///     Ok(())
/// }
///
/// # use std::time::Duration;
/// # use omniglot_core::Cause;
/// # fn main() -> Result<()> {
/// # let runtime = omniglot_mock::Mock::<false>::default();
/// # let shim = 2;
/// let mut session = Session::new(runtime); // the library is loaded
/// session.set_timeout(Some(Duration::from_secs(1)));
/// run(&mut session, shim, &[0; 16])?;
///
/// session.begin_operation(); // two calls that share one time limit
/// run(&mut session, shim, &[0; 16])?;
/// run(&mut session, shim, &[0; 16])?;
/// session.end_operation();
/// assert_eq!(session.depth(), 0);
///
/// session.poison(Cause::Abandoned);
/// assert!(run(&mut session, shim, &[0; 16]).is_err());
/// session.reset()?;
/// assert_eq!(session.poisoned(), None);
/// # drop(session.into_runtime());
/// # Ok(())
/// # }
/// ```
// The runtime is first, so that its address is the session's, and no register is needed for it
// beside that: four instructions of a kernel's call.
#[repr(C)]
pub struct Session<R: Runtime> {
    pub(crate) runtime: R,
    calls: Calls,
    /// How many calls may wait in callbacks: none any more once the session is poisoned, so that
    /// one comparison decides whether a call can start.
    deepest: u32,
    poison: Option<Cause>,
}

impl<R: Runtime> Session<R> {
    /// A session of a runtime in which the library is loaded.
    #[must_use]
    pub fn new(runtime: R) -> Self {
        let mut session = Self { runtime, calls: Calls::new(), poison: None, deepest: MAX_DEPTH };
        if R::COUNTS_CALLS {
            session.calls.number = session.runtime.last_call();
        }
        session.set_timeout(session.runtime.time_limit());
        session
    }

    /// The runtime.
    pub const fn runtime(&self) -> &R {
        &self.runtime
    }

    /// Consumes the session, and returns the runtime.
    pub fn into_runtime(self) -> R {
        self.runtime
    }

    /// Why foreign code may not run any more; `None` if it may.
    pub const fn poisoned(&self) -> Option<Cause> {
        self.poison
    }

    /// How many calls wait in callbacks.
    pub const fn depth(&self) -> u32 {
        self.calls.depth
    }

    /// Limits the foreign time of each outermost call or operation; `None` for no limit.
    pub fn set_timeout(&mut self, limit: Option<Duration>) {
        self.calls.time.set(limit, R::TICKS_PER_SECOND);
        self.runtime.limit_changed(&self.calls.time);
    }

    /// Copies bytes to a foreign address that foreign code itself may write.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] where there is not room for all in the window;
    /// [`Error::ReadOnly`] where foreign code may not write; [`Error::Forked`].
    pub fn write(&mut self, address: usize, bytes: &[u8]) -> Result<()> {
        self.check_writable(address, bytes.len())?;
        self.runtime.window().copy_in(address, bytes)
    }

    /// Checks that the host may write these bytes at foreign code's request.
    pub(crate) fn check_writable(&self, address: usize, len: usize) -> Result<()> {
        self.runtime.check_alive()?;
        self.runtime.check_writable(address, len)
    }

    /// Runs the entry with the address of its frame, up to the next event. If a call waits in a
    /// callback, this one is nested in it.
    ///
    /// # Errors
    /// [`Error::Poisoned`]; [`Error::TooDeep`]; [`Error::Forked`]; whatever ended the call.
    #[inline(always)]
    pub fn enter(&mut self, entry: usize, arguments: usize) -> Result<Event> {
        self.check_ready()?;
        self.enter_checked(entry, arguments)
    }

    /// Checks that a call can start: the one fork check of a call before foreign code runs.
    #[inline(always)]
    pub(crate) fn check_ready(&self) -> Result<()> {
        self.runtime.check_alive()?;
        if self.calls.depth < self.deepest { Ok(()) } else { Err(self.refused()) }
    }

    /// As [`enter`](Self::enter), after [`check_ready`](Self::check_ready).
    #[inline(always)]
    pub(crate) fn enter_checked(&mut self, entry: usize, arguments: usize) -> Result<Event> {
        if R::COUNTS_CALLS {
            if self.calls.is_alone() {
                self.begin_outermost();
            }
        } else if self.calls.time.is_limited() {
            return self.enter_limited(entry, arguments);
        }
        self.start(entry, arguments)
    }

    /// The same if time is limited and nothing else is to be done for an outermost call.
    #[cold]
    #[inline(never)]
    fn enter_limited(&mut self, entry: usize, arguments: usize) -> Result<Event> {
        if self.calls.is_alone() {
            self.begin_outermost();
        }
        self.start(entry, arguments)
    }

    #[inline(always)]
    fn start(&mut self, entry: usize, arguments: usize) -> Result<Event> {
        let step = Step::Call { entry, arguments };
        // SAFETY: a call can start at any depth, at which all others wait (invariant 11).
        match unsafe { self.runtime.run(step, &mut self.calls) } {
            Ok(event) => Ok(self.note(event)),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Answers the innermost callback and resumes, up to the next event.
    ///
    /// # Errors
    /// [`Error::Protocol`] if no call waits in a callback; [`Error::Poisoned`];
    /// [`Error::Forked`]; whatever ended the call, which poisons the session, whatever it is.
    #[cfg_attr(feature = "alloc", inline(always))] // as in `Domain::resume`
    pub fn resume(&mut self, reply: Reply) -> Result<Event> {
        self.check_usable()?;
        if self.calls.depth == 0 {
            return Err(Error::Protocol("an answer to no callback"));
        }
        self.calls.depth -= 1;
        // SAFETY: the innermost call waits in a callback, as was just checked (invariant 11).
        match unsafe { self.runtime.run(Step::Resume(reply), &mut self.calls) } {
            Ok(event) => Ok(self.note(event)),
            Err(error) => {
                let error = self.failed(error);
                self.poison(Cause::Protocol); // unless the error itself was a better cause
                Err(error)
            }
        }
    }

    /// Updates the calls in progress after an event.
    #[inline(always)]
    fn note(&mut self, event: Event) -> Event {
        match event {
            Event::Returned => self.end_outermost(),
            Event::Callback { .. } => self.calls.depth += 1,
        }
        event
    }

    /// Begins what the user sees as one call: gives it a number and the full time limit.
    #[inline(always)]
    fn begin_outermost(&mut self) {
        self.calls.time.begin();
        if R::COUNTS_CALLS {
            let number = self.calls.renumber();
            self.runtime.begin_call(number);
        }
    }

    /// Ends what the user sees as one call, if it is over.
    #[inline(always)]
    fn end_outermost(&mut self) {
        if R::COUNTS_CALLS && self.calls.is_alone() {
            self.runtime.end_call();
        }
    }

    /// Makes the outermost calls up to [`end_operation`](Self::end_operation) one operation: they
    /// share one time limit, which begins anew with this call, and an interruption of one of them,
    /// or between them, ends the next one, too.
    ///
    /// It is meant for calls that are one for the user: a call and the destructors that are queued
    /// for it. The time of all foreign code counts, however short it runs.
    pub fn begin_operation(&mut self) {
        self.begin_outermost();
        self.calls.in_operation = true;
    }

    /// Ends the operation: each outermost call is by itself again.
    pub fn end_operation(&mut self) {
        self.calls.in_operation = false;
        if R::COUNTS_CALLS {
            // Also if a panic left calls behind.
            self.runtime.end_call();
        }
    }

    /// Ends a call that waited in a callback at this depth.
    pub(crate) const fn leave(&mut self, depth: u32) {
        self.calls.depth = depth;
    }

    /// Checks that foreign code may run here and now.
    pub(crate) fn check_usable(&self) -> Result<()> {
        self.runtime.check_alive()?;
        if self.deepest > 0 { Ok(()) } else { Err(self.refused()) }
    }

    /// Why no call can start.
    #[cold]
    #[inline(never)]
    fn refused(&self) -> Error {
        match self.poison {
            Some(by) => Error::Poisoned { by },
            None => Error::TooDeep { limit: MAX_DEPTH },
        }
    }

    /// Poisons the session: no foreign code runs again before a [`reset`](Self::reset). The first
    /// cause is kept.
    #[cold]
    #[inline(never)]
    pub fn poison(&mut self, cause: Cause) {
        if self.poison.is_none() {
            self.poison = Some(cause);
            self.deepest = 0;
            self.runtime.kill();
        }
    }

    /// Poisons the session if the error of a call requires it.
    #[cold]
    #[inline(never)]
    pub(crate) fn failed(&mut self, error: Error) -> Error {
        let cause = match error {
            Error::NonLocalExit => Some(Cause::NonLocalExit),
            _ => error.poisons(),
        };
        if let Some(cause) = cause.or(self.calls.lost) {
            self.poison(cause);
        }
        self.end_outermost();
        error
    }

    /// Brings the domain back to the state after loading, as [`Runtime::reload`] says; time
    /// limit and interrupt handles stay.
    ///
    /// # Errors
    /// The runtime's error. The session is poisoned then, and can be reset again.
    pub fn reset(&mut self) -> Result<()> {
        self.calls.forget();
        // Poisoned meanwhile, so that it stays so if the runtime panics: the window may be another
        // one by then, without the session knowing (invariant 11).
        let before = self.poison.replace(Cause::Reset);
        self.deepest = 0;
        let outcome = self.runtime.reload(&mut self.calls);
        if outcome.is_ok() {
            self.poison = None;
            self.deepest = MAX_DEPTH;
        } else {
            self.poison = before;
            self.poison(Cause::Reset);
        }
        outcome
    }
}

/// Read access to the runtime: exchanging it would lose the calls in progress.
impl<R: Runtime> Deref for Session<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.runtime
    }
}

impl<R: Runtime> fmt::Debug for Session<R> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Session")
            .field("isolation", &self.runtime.isolation())
            .field("calls", &self.calls)
            .field("poisoned", &self.poison)
            .finish_non_exhaustive()
    }
}
