//! The part of a call that does not depend on the interface: copy the frame in, run to an event,
//! copy the frame out.
//!
//! It is separate from the interface so that this code is compiled once for each runtime, not once
//! for each library. The code that a successful call executes is short and straight; everything
//! else is in functions of its own, out of line.

use crate::error::{Cause, Error, Result};
use crate::frame::NON_LOCAL_EXIT;
use crate::library::Description;
use crate::memory::Frames;
use crate::runtime::{Event, Reply, Runtime};
use crate::session::Session;
use crate::stack::{FrameAddress, Mark, Stack};
use crate::text::Text;

/// A session, with frames: what is copied to foreign code and back.
// As in `Session`: all three have one address.
#[repr(C)]
pub(crate) struct Domain<R: Runtime> {
    pub(crate) session: Session<R>,
    /// The runtime's window, and the host's stack in it. Frames of calls are written and read there
    /// only where a call can start or has just ended. So the session is not poisoned, this process
    /// was checked to be the domain's, and no other host code has run since (invariant 11).
    pub(crate) frames: Frames,
    pub(crate) error_number: i32,
    pub(crate) description: &'static Description,
    /// The error that a [`Kept`] stands for, if any.
    error: Error,
    /// The callback that a [`Paused`] stands for.
    paused: (Call, CalledBack),
}

/// Proof that an error was kept in the [`Domain`]; [`Domain::error`] returns it.
///
/// An error has 144 bytes, which a call that succeeds should not pass on; this has none.
#[derive(Debug)]
#[must_use = "the error that was kept says what went wrong"]
pub(crate) struct Kept(());

/// Proof that a call was started and called back; [`Domain::called_back`] returns the callback.
#[derive(Debug)]
pub(crate) struct Paused(());

/// The value, or the proof that the domain keeps the reason why there is none.
pub(crate) type KeptResult<T> = core::result::Result<T, Kept>;

/// A call that waits in a callback.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// The top of the host's stack before the call.
    mark: Mark,
    frame: FrameAddress,
    /// The depth at which it runs.
    depth: u32,
}

/// The outcome of starting a call that did not fail.
pub(crate) enum Started {
    /// It returned, and the frame holds what the shim left there.
    Returned,
    /// It waits in a callback.
    CalledBack(Paused),
}

/// The outcome of an answer to a callback, if the call did not fail.
pub(crate) enum Resumed {
    /// The next callback.
    CalledBack(CalledBack),
    /// The call is over, and the frame holds what the shim left there.
    Returned,
}

/// A callback as foreign code describes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CalledBack {
    pub(crate) slot: u32,
    pub(crate) arguments: usize,
}

impl<R: Runtime> Domain<R> {
    /// Fresh state.
    pub(crate) fn new(
        session: Session<R>,
        stack: Stack,
        description: &'static Description,
    ) -> Self {
        let nowhere = Call { mark: stack.mark(), frame: FrameAddress::NONE, depth: 0 };
        Self {
            frames: Frames::new(session.runtime.window(), stack),
            session,
            error_number: 0,
            description,
            error: Error::Abandoned,
            paused: (nowhere, CalledBack { slot: 0, arguments: 0 }),
        }
    }

    /// After a reset of the session: discards errors and what was on the host's stack.
    pub(crate) fn begin_anew(&mut self, stack: Stack) {
        self.frames = Frames::new(self.session.runtime.window(), stack);
        self.error_number = 0;
    }

    /// Starts a call, and ends it, unless it calls back first. When it has returned, `frame` holds
    /// what the shim left there.
    ///
    /// The host's stack is not used while foreign code runs, so it changes only when that calls
    /// back.
    // One copy beside all generated functions, where these call it directly.
    #[cfg_attr(not(feature = "alloc"), inline(never))]
    pub(crate) fn start(&mut self, shim: u32, frame: &mut [u8]) -> KeptResult<Started> {
        if let Err(error) = self.session.check_ready() {
            return Err(self.keep(error));
        }
        let Some(entry) = self.session.runtime.shim(shim) else {
            return Err(self.keep_missing(shim));
        };
        let (place, written) = match self.frames.write(frame) {
            Ok(written) => written,
            Err(error) => return Err(self.keep(error)),
        };
        match self.session.enter_checked(entry, place.get()) {
            Ok(Event::Returned) => {}
            Ok(Event::Callback { slot, arguments }) => {
                return Ok(self.pause(place, frame.len(), CalledBack { slot, arguments }));
            }
            Err(error) => return Err(self.keep(error)),
        }
        match self.frames.read(written, frame) {
            Ok((0, error_number)) => self.error_number = error_number,
            Ok((status, _)) => return Err(self.keep_verdict(status)),
            Err(error) => return Err(self.keep(error)),
        }
        Ok(Started::Returned)
    }

    /// Keeps the reason why there was no call, or no valid reply.
    #[cold]
    #[inline(never)]
    pub(crate) fn keep(&mut self, error: Error) -> Kept {
        self.error = error;
        Kept(())
    }

    /// The error that was kept.
    #[cold]
    #[inline(never)]
    pub(crate) const fn error(&mut self, Kept(()): Kept) -> Error {
        self.error
    }

    /// The value; an error is kept.
    #[inline]
    pub(crate) fn keep_error<T>(&mut self, outcome: Result<T>) -> KeptResult<T> {
        outcome.map_err(|error| self.keep(error))
    }

    #[cold]
    #[inline(never)]
    fn keep_missing(&mut self, shim: u32) -> Kept {
        let error = self.missing(shim);
        self.keep(error)
    }

    #[cold]
    #[inline(never)]
    fn keep_verdict(&mut self, status: u32) -> Kept {
        let error = self.verdict(status);
        self.keep(error)
    }

    /// The error for a shim that was left otherwise than by a return.
    #[cold]
    fn verdict(&mut self, status: u32) -> Error {
        match status {
            // The instance stays usable: a guard caught the longjmp.
            NON_LOCAL_EXIT => Error::NonLocalExit,
            _ => self.session.failed(Error::Protocol("unknown status in a frame")),
        }
    }

    /// Marks a call as waiting in a callback.
    #[inline(never)]
    fn pause(&mut self, frame: FrameAddress, len: usize, called: CalledBack) -> Started {
        let depth = self.session.depth() - 1;
        self.paused = (Call { mark: self.frames.mark(), frame, depth }, called);
        self.frames.take(frame, len);
        Started::CalledBack(Paused(()))
    }

    /// The call that was started and waits in a callback now.
    pub(crate) const fn called_back(&self, Paused(()): Paused) -> (Call, CalledBack) {
        self.paused
    }

    /// Copies the arguments that foreign code passes to a callback.
    ///
    /// A caller knows how many bytes there are, so the check is a part of it, and only the copy is
    /// shared by all.
    #[inline(always)]
    pub(crate) fn take_arguments(&mut self, address: usize, into: &mut [u8]) -> KeptResult<()> {
        match self.session.runtime.window().read_arguments(address, into) {
            Ok(()) => Ok(()),
            Err(_) => Err(self.keep_outside(address, into.len())),
        }
    }

    /// Keeps the error of bytes that are not all in the window. Made here, it takes no room in
    /// callers.
    #[cold]
    #[inline(never)]
    fn keep_outside(&mut self, address: usize, len: usize) -> Kept {
        self.keep(Error::OutOfRange { address, len })
    }

    /// Writes a callback's result, and nothing else, into its frame. The frame's address is
    /// attacker-controlled.
    #[cfg_attr(not(feature = "alloc"), inline(never))]
    pub(crate) fn hand_back(&mut self, address: usize, result: &[u8]) -> KeptResult<()> {
        if result.is_empty() {
            return Ok(());
        }
        // This checks the process, too: the closure may have forked.
        let written = self.session.write(address, result);
        self.keep_error(written)
    }

    /// Answers the callback that a call waits in, and resumes the call. Anything but a reply
    /// poisons the instance.
    // Where it is inlined into the loop that answers callbacks, no return of the host's comes between
    // one that foreign code will make and its call, and processors predict it.
    #[cfg_attr(feature = "alloc", inline(always))]
    #[cfg_attr(not(feature = "alloc"), inline(never))]
    pub(crate) fn resume(
        &mut self,
        call: Call,
        reply: KeptResult<Reply>,
        frame: &mut [u8],
    ) -> KeptResult<Resumed> {
        let reply = reply.map_err(|kept| self.give_up(call, kept))?;
        match self.session.resume(reply) {
            Ok(Event::Callback { slot, arguments }) => {
                Ok(Resumed::CalledBack(CalledBack { slot, arguments }))
            }
            Ok(Event::Returned) => {
                let finished = self.finish(call, frame);
                self.keep_error(finished).map(|()| Resumed::Returned)
            }
            Err(error) => {
                let kept = self.keep(error);
                Err(self.give_up(call, kept))
            }
        }
    }

    /// Poisons the instance, since a waiting call gets no answer.
    fn give_up(&mut self, call: Call, kept: Kept) -> Kept {
        self.session.poison(Cause::Abandoned);
        self.end(call);
        kept
    }

    /// Ends a call that waited, and returned.
    fn finish(&mut self, call: Call, frame: &mut [u8]) -> Result<()> {
        self.end(call);
        let written = self.frames.find(call.frame, frame.len())?;
        match self.frames.read(written, frame)? {
            (0, error_number) => self.error_number = error_number,
            (status, _) => return Err(self.verdict(status)),
        }
        Ok(())
    }

    /// Ends a call that waited.
    const fn end(&mut self, call: Call) {
        self.session.leave(call.depth);
        self.frames.release(call.mark);
    }

    /// The entry address of a shim.
    #[inline]
    pub(crate) fn entry(&self, shim: u32) -> Result<usize> {
        match self.session.runtime.shim(shim) {
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
        let place = self.frames.place(frame.len()).ok_or(full)?;
        self.session.runtime.window().write_frame(place, frame)?;
        self.frames.take(place, frame.len());
        Ok(place)
    }
}
