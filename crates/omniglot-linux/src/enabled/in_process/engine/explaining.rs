//! Why foreign code was abandoned, and where it was: the error of a call.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use omniglot_core::{Calls, Cause, Error, Fault, Result, Runtime, Text};

use super::{InProcess, Protection};
use crate::enabled::code_places::{self, Names};
use crate::enabled::filters::policy::name_of;
use crate::enabled::in_process::context::RETURNED;
use crate::enabled::in_process::gate::Way;
use crate::enabled::in_process::handler::{CHANGED, DENIED, EXITED, FAULT, FORKED, STOP};
use crate::enabled::in_process::threads::Thread;
use crate::enabled::in_process::watchdog;
use crate::enabled::report::{self, for_what, with_last_words};
use crate::enabled::timer;

/// Why a call was given up, where nothing shows that any more.
const GONE: Error = Error::Unsupported {
    what: "during the call the process had code that switches protection keys off, or changed code \
           for ten seconds",
    remedy: "use Isolation::Process",
};

impl<P: Protection> InProcess<P> {
    /// Why foreign code was abandoned.
    #[cold]
    pub(super) fn explain(&mut self, calls: &mut Calls) -> Error {
        let outcome = &self.execution.context.outcome;
        let number = outcome.number.load(Relaxed);
        match outcome.kind.load(Relaxed) {
            FAULT => Error::Fault(self.fault(calls)),
            DENIED => {
                let instruction = outcome.instruction.load(Relaxed) as usize;
                let stack = outcome.stack.load(Relaxed);
                let asked = self.describe(instruction, Some(stack), calls).unwrap_or_default();
                let place = for_what(asked, &self.window);
                Error::SyscallDenied { name: name_of(number), number, place }
            }
            EXITED => Error::Exited { status: Some((number & 0xff) as i32) },
            STOP => self.execution.stopped(calls),
            CHANGED => {
                calls.lose(Cause::Interrupted);
                self.settle_for(calls).err().unwrap_or(GONE)
            }
            FORKED => Error::Forked,
            _ => Error::Protocol("an end without a reason"),
        }
    }

    fn fault(&mut self, calls: &mut Calls) -> Fault {
        let is_overflow = |accessed, stack| self.layout.is_stack_overflow(accessed, stack);
        let (fault, instruction) = self.execution.fault(|address| address as usize, is_overflow);
        let has_spoken = self.has_asked();
        let place = self.describe(instruction, None, calls).unwrap_or_default();
        let fault = Fault { place, ..fault };
        if has_spoken { with_last_words(fault, &self.window, self.heard) } else { fault }
    }

    /// Asks the domain's own dynamic linker where an instruction is, or, if a stack is given, who
    /// called the system's code that it is in. The answer is a hint. It takes no more than the time
    /// that the call has left, including the wait until new code was looked at, and looking up names
    /// and lines. The domain is not used any more: its calls are abandoned, so the stack is free.
    fn describe(
        &mut self,
        instruction: usize,
        stack: Option<u64>,
        calls: &mut Calls,
    ) -> Result<Text> {
        if self.window.check(instruction, 1).is_err() {
            return Ok(Text::default());
        }
        let left =
            timer::left(&calls.time, None)?.unwrap_or(code_places::LIMIT).min(code_places::LIMIT);
        let until = Instant::now() + left;
        self.ask(instruction, stack, left, calls)?;
        let names = Names { description: &self.description, readable: &self.readable, until };
        names.here(&self.window)
    }

    fn ask(
        &mut self,
        instruction: usize,
        stack: Option<u64>,
        left: Duration,
        calls: &mut Calls,
    ) -> Result<()> {
        let thread = Thread::current(self.execution.generation())?;
        report::ask(&mut self.window, instruction, stack)?;
        self.execution.clear();
        // A call of its own: the one before it was stopped.
        self.begin_call(calls.renumber());
        self.set_thread_pointer(true);
        self.begin(0, self.hand_off.call, self.hand_off.describe, 0);
        self.admit(thread, calls)?;
        self.execution.announce_for(left)?;
        let event = self.cross_settled(thread, Way::Call, calls);
        watchdog::withdraw(&self.execution.context);
        match event? {
            RETURNED => Ok(()),
            _ => Err(Error::Protocol("no answer about a fault")),
        }
    }
}
