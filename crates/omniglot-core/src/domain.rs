//! What of an instance does not depend on its interface, and how one call starts and ends.
//!
//! Kept apart from the interface so that this code is compiled once for each runtime, not
//! once for each library. What a call that succeeds executes is short and straight; whatever
//! else may come of it is in functions of its own, out of the way.

use crate::base::{FrameAddress, Mark, Stack};
use crate::{
    Cause, Description, Error, Event, MAX_DEPTH, Reply, Result, Runtime, Text,
    frame::NON_LOCAL_EXIT,
};

/// Where a library runs, and the calls in progress.
pub(crate) struct Domain<R: Runtime> {
    pub(crate) runtime: R,
    poison: Option<Cause>,
    /// How many calls wait in callbacks.
    depth: u32,
    /// How many may: none any more once the instance is poisoned, so that one comparison
    /// tells whether a call can start.
    deepest: u32,
    pub(crate) error_number: i32,
    pub(crate) stack: Stack,
    pub(crate) description: &'static Description,
    /// What came of a call that did not just return, until it is taken care of.
    unfinished: Option<Unfinished>,
}

/// A call that waits in a callback.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// Where the host's stack was before.
    mark: Mark,
    frame: FrameAddress,
}

/// What came of starting a call that did not return.
#[derive(Clone, Copy, Debug)]
enum Unfinished {
    /// It called back, and waits.
    CalledBack(Call, CalledBack),
    /// It failed.
    Failed(Error),
}

/// What came of an answer to a callback.
pub(crate) enum Resumed {
    /// The next callback.
    CalledBack(CalledBack),
    /// The call is over, and the frame holds what it left there.
    Returned,
    /// The call is over, and [`Domain::failure`] says why.
    Failed,
}

/// A callback as foreign code says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CalledBack {
    pub(crate) slot: u32,
    pub(crate) arguments: usize,
}

impl<R: Runtime> Domain<R> {
    /// Fresh state.
    pub(crate) const fn new(runtime: R, stack: Stack, description: &'static Description) -> Self {
        Self {
            runtime,
            poison: None,
            depth: 0,
            deepest: MAX_DEPTH,
            error_number: 0,
            stack,
            description,
            unfinished: None,
        }
    }

    /// Forgets calls, errors and what was on the host's stack.
    pub(crate) const fn begin_anew(&mut self, stack: Stack) {
        self.depth = 0;
        self.error_number = 0;
        self.stack = stack;
        self.unfinished = None;
    }

    /// Starts a call, and ends it, unless it calls back first or fails, of which
    /// [`unfinished`](Self::unfinished) tells. Whether it returned, and `frame` holds what it
    /// left there.
    ///
    /// Nobody sees the host's stack or the depth while foreign code runs, so they change only
    /// when it calls back.
    // One copy beside all generated functions, where these call it directly.
    #[cfg_attr(not(feature = "alloc"), inline(never))]
    pub(crate) fn start(&mut self, shim: u32, frame: &mut [u8]) -> bool {
        if let Err(error) = self.check_ready() {
            return self.keep(error);
        }
        let Some(entry) = self.runtime.shim(shim) else {
            return self.keep(self.missing(shim));
        };
        let Some(place) = self.stack.place(frame.len()) else {
            return self.keep(Error::OutOfMemory { requested: frame.len() });
        };
        let written = match self.runtime.window().write_frame(place, frame) {
            Ok(written) => written,
            Err(error) => return self.keep(error),
        };
        match self.runtime.enter(entry, place.get()) {
            Ok(Event::Returned) => {}
            Ok(Event::Callback { slot, arguments }) => {
                return self.wait(place, frame.len(), CalledBack { slot, arguments });
            }
            Err(error) => return self.keep_failure(error),
        }
        match self.runtime.window().read_frame(written, frame) {
            Ok((0, error_number)) => self.error_number = error_number,
            Ok((status, _)) => return self.keep_verdict(status),
            Err(error) => return self.keep(error),
        }
        true
    }

    #[inline(always)]
    fn check_ready(&self) -> Result<()> {
        self.runtime.check_alive()?;
        if self.depth < self.deepest { Ok(()) } else { Err(self.refused()) }
    }

    /// Keeps why there was no call, or is no reply: `false`.
    #[cold]
    #[inline(never)]
    fn keep(&mut self, error: Error) -> bool {
        self.unfinished = Some(Unfinished::Failed(error));
        false
    }

    /// Keeps why the runtime ended a call.
    #[cold]
    #[inline(never)]
    fn keep_failure(&mut self, error: Error) -> bool {
        let error = self.failed(error);
        self.keep(error)
    }

    #[cold]
    #[inline(never)]
    fn keep_verdict(&mut self, status: u32) -> bool {
        let error = self.verdict(status);
        self.keep(error)
    }

    /// What a shim means that was not left by a return.
    #[cold]
    fn verdict(&mut self, status: u32) -> Error {
        match status {
            // The instance stays good: a guard caught the longjmp.
            NON_LOCAL_EXIT => Error::NonLocalExit,
            _ => self.failed(Error::Protocol("unknown status in a frame")),
        }
    }

    /// Has a call wait in a callback.
    #[inline(never)]
    fn wait(&mut self, frame: FrameAddress, len: usize, called: CalledBack) -> bool {
        let mark = self.stack.mark();
        self.stack.take(frame, len);
        self.depth += 1;
        self.unfinished = Some(Unfinished::CalledBack(Call { mark, frame }, called));
        false
    }

    /// The call that waits in a callback now, if that is what came of [`start`](Self::start).
    pub(crate) const fn called_back(&mut self) -> Option<(Call, CalledBack)> {
        match self.unfinished {
            Some(Unfinished::CalledBack(call, called)) => {
                self.unfinished = None;
                Some((call, called))
            }
            Some(Unfinished::Failed(_)) | None => None,
        }
    }

    /// Why the last call failed.
    #[cold]
    #[inline(never)]
    pub(crate) const fn failure(&mut self) -> Error {
        match self.unfinished.take() {
            Some(Unfinished::Failed(error)) => error,
            Some(Unfinished::CalledBack(..)) | None => Error::Misuse("no call has failed"),
        }
    }

    /// Copies what foreign code hands to a callback, [unless that fails](Self::unless_failed).
    #[cfg_attr(not(feature = "alloc"), inline(never))]
    pub(crate) fn take_arguments(&mut self, address: usize, into: &mut [u8]) -> Option<()> {
        let read = self.runtime.window().read(address, into);
        self.unless_failed(read)
    }

    /// Writes a callback's result, and nothing else, into its frame, likewise.
    #[cfg_attr(not(feature = "alloc"), inline(never))]
    pub(crate) fn hand_back(&mut self, address: usize, result: &[u8]) -> Option<()> {
        if result.is_empty() {
            return Some(());
        }
        // The closure may have forked; and where the frame is, is foreign code's word.
        let checked = self.runtime.check_alive();
        let checked = checked.and_then(|()| self.runtime.check_writable(address, result.len()));
        let written = checked.and_then(|()| self.runtime.window().copy_in(address, result));
        self.unless_failed(written)
    }

    /// The value; an error is kept.
    #[inline]
    pub(crate) fn unless_failed<T>(&mut self, outcome: Result<T>) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(error) => {
                self.keep(error);
                None
            }
        }
    }

    /// Answers the callback that a call waits in, and has it go on. Anything but a reply gives
    /// up the instance; why there is none is kept already.
    #[inline(never)]
    pub(crate) fn resume(&mut self, call: Call, reply: Option<Reply>, frame: &mut [u8]) -> Resumed {
        let Some(reply) = reply.filter(|_| self.is_usable()) else {
            self.poison(Cause::Abandoned);
            self.end(call);
            return Resumed::Failed;
        };
        let ended = match self.runtime.resume(reply) {
            Ok(Event::Callback { slot, arguments }) => {
                return Resumed::CalledBack(CalledBack { slot, arguments });
            }
            Ok(Event::Returned) => self.finish(call, frame),
            Err(error) => {
                let error = self.failed_within(error);
                self.end(call);
                Err(error)
            }
        };
        self.unless_failed(ended).map_or(Resumed::Failed, |()| Resumed::Returned)
    }

    /// Whether foreign code may go on; why not is kept.
    fn is_usable(&mut self) -> bool {
        let usable = self.check_usable();
        self.unless_failed(usable).is_some()
    }

    /// Ends a call that waited, and returned.
    fn finish(&mut self, call: Call, frame: &mut [u8]) -> Result<()> {
        self.end(call);
        let window = self.runtime.window();
        let written = window.find_frame(call.frame, frame.len())?;
        match window.read_frame(written, frame)? {
            (0, error_number) => self.error_number = error_number,
            (status, _) => return Err(self.verdict(status)),
        }
        Ok(())
    }

    /// Ends a call that waited.
    const fn end(&mut self, call: Call) {
        self.depth -= 1;
        self.stack.release(call.mark);
    }

    /// How many calls wait in callbacks.
    pub(crate) const fn depth(&self) -> u32 {
        self.depth
    }

    /// The entry address of a shim.
    #[inline]
    pub(crate) fn entry(&self, shim: u32) -> Result<usize> {
        match self.runtime.shim(shim) {
            Some(entry) => Ok(entry),
            None => Err(self.missing(shim)),
        }
    }

    #[cold]
    #[inline(never)]
    fn missing(&self, shim: u32) -> Error {
        let name = self.description.functions.get(shim as usize);
        Error::MissingFunction(Text::fixed(name.unwrap_or(&"(unknown)")))
    }

    /// Copies a frame to the top of the host's stack in foreign memory.
    pub(crate) fn push_frame(&mut self, frame: &[u8]) -> Result<FrameAddress> {
        let full = Error::OutOfMemory { requested: frame.len() };
        let place = self.stack.place(frame.len()).ok_or(full)?;
        self.runtime.window().write_frame(place, frame)?;
        self.stack.take(place, frame.len());
        Ok(place)
    }

    /// Why the instance is unusable.
    pub(crate) const fn poisoned(&self) -> Option<Cause> {
        self.poison
    }

    /// The instance is as good as new.
    pub(crate) const fn revive(&mut self) {
        self.poison = None;
        self.deepest = MAX_DEPTH;
    }

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

    /// Gives up the calls in progress for good. The first cause is kept.
    #[cold]
    #[inline(never)]
    pub(crate) fn poison(&mut self, cause: Cause) {
        if self.poison.is_none() {
            self.poison = Some(cause);
            self.deepest = 0;
            self.runtime.abandon(cause);
        }
    }

    /// Poisons the instance: whatever the error, a call was in progress.
    #[cold]
    fn failed_within(&mut self, error: Error) -> Error {
        let error = self.failed(error);
        self.poison(Cause::Protocol); // unless the error itself was a better cause
        error
    }

    /// Poisons the instance where the runtime's error means that.
    #[cold]
    #[inline(never)]
    fn failed(&mut self, error: Error) -> Error {
        let cause = match error {
            Error::NonLocalExit => Some(Cause::NonLocalExit),
            _ => error.poisons(),
        };
        if let Some(cause) = cause {
            self.poison(cause);
        }
        error
    }
}
