//! What the system-call server in a region, or any code there, has the host do: answers, or the end of
//! the call.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use omniglot_core::{Calls, Error, Event, Fault, FaultKind, Result, Runtime};

use super::Sfi;
use crate::enabled::filters::policy::name_of;
use crate::enabled::in_process::context::KEEPS_VECTORS;
use crate::enabled::in_process::gate::Way;
use crate::enabled::in_process::masks::with_all_blocked;
use crate::enabled::in_process::sfi::page::{ABORT, GO_ON};
use crate::enabled::in_process::sfi::request::ServerRequest;
use crate::enabled::in_process::syscalls::{
    ASK_DENY, ASK_TAKE_BACK, ASK_TIME, Answer, MOST_TAKEN_BACK, answer_passed_on,
};
use crate::enabled::in_process::threads::Thread;
use crate::enabled::layout::{PAGE, WORLD_TIME};
use crate::enabled::report::for_what;
use crate::enabled::timer;
use crate::enabled::world;

const ENOSYS: i64 = 38;
/// `DENY` of `worker/server/server.h`: the host does nothing about a call.
const PASSED_BACK: i64 = -5000;

impl Sfi {
    /// Does what stands for system calls, until foreign code does something else.
    #[cold]
    #[inline(never)]
    pub(super) fn serve(
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
            let event = self.run_stretch(thread, Way::Jump, calls);
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
        let request = ServerRequest::read(&self.window, place).map_err(wrong)?;
        let value = self.answer_request(&request)?;
        let Some(value) = value else { return Ok(false) };
        self.check_writable(place, size_of::<u64>()).map_err(wrong)?;
        self.window.write(place, &value.to_ne_bytes())?;
        Ok(true)
    }

    /// What the server in the domain asks for, as any code of the domain may. `None` if it cannot be
    /// done now.
    ///
    /// The host makes the calls that the user allows. All others it passes back to the server; where
    /// there is none, they are errors, or the call's end.
    fn answer_request(&mut self, request: &ServerRequest) -> Result<Option<i64>> {
        let [first, second, third, fourth, ..] = request.arguments;
        let number = request.number;
        match number {
            ASK_DENY => return Err(self.denied(first, second, third)),
            ASK_TAKE_BACK => return Ok(Some(self.take_back(first, second))),
            ASK_TIME => return self.tell_time().map(|()| Some(0)),
            _ => {}
        }
        // As in a handler, which this is written for: a signal that a write raises is taken back.
        let answered = with_all_blocked(|| {
            answer_passed_on(&self.execution.context.domain, number, [first, second, third, fourth])
        });
        match answered {
            Some(Answer::Value(value)) => Ok(Some(value)),
            Some(Answer::Again) => Ok(None),
            Some(Answer::Abort) => Err(self.aborted()),
            Some(Answer::Exit) => Err(Error::Exited { status: Some((first & 0xff) as i32) }),
            None if self.control.is_some() => Ok(Some(PASSED_BACK)),
            None if self.options.strict && !self.is_loading => {
                let place = omniglot_core::Text::default();
                Err(Error::SyscallDenied { name: name_of(number), number, place })
            }
            None => Ok(Some(-ENOSYS)),
        }
    }

    /// The call ends, as the server says, since a system call is denied.
    fn denied(&self, number: u64, instruction: u64, stack: u64) -> Error {
        let number = number & u64::from(u32::MAX);
        let asked = self.who_called(instruction, stack);
        let place = self.control.as_ref().map_or(asked, |control| for_what(asked, control));
        Error::SyscallDenied { name: name_of(number), number, place }
    }

    /// The innermost function with a name that called what is at an instruction, as the words on the
    /// stack say: a hint, as the names of all places are.
    fn who_called(&self, instruction: u64, stack: u64) -> omniglot_core::Text {
        const MOST_WORDS: usize = 512;
        /// Each is looked up among all functions of the image.
        const MOST_PLACES: usize = 64;
        let words = self.stack_words(stack as u32 as usize, MOST_WORDS);
        // What a call pushed has the region's base.
        let is_pushed = |word: &u64| word >> 32 == self.base() >> 32;
        let pushed = words.into_iter().filter(is_pushed);
        let places = [instruction].into_iter().chain(pushed).take(MOST_PLACES);
        let named = places.map(|place| place as u32 as usize);
        self.image.describe_first(self.description.name, named)
    }

    /// So many words of the stack from there, or those up to its end.
    fn stack_words(&self, start: usize, most: usize) -> Vec<u64> {
        let there = self.memory.plan.stack.end.saturating_sub(start);
        let mut words = vec![0; there.min(most * size_of::<u64>())];
        if self.window.read(start, &mut words).is_err() {
            return Vec::new();
        }
        let words = words.chunks_exact(size_of::<u64>()).filter_map(|word| word.try_into().ok());
        words.map(u64::from_ne_bytes).collect()
    }

    /// Makes memory zero that the server gives out: how many bytes, or an error number.
    fn take_back(&self, address: u64, len: u64) -> i64 {
        let heap = &self.memory.plan.heap;
        // Not cut to 32 bits: the server names its own memory.
        let (start, len) = (address as usize, len.min(MOST_TAKEN_BACK) as usize);
        let is_whole = start.is_multiple_of(PAGE) && len.is_multiple_of(PAGE) && len > 0;
        let range = start..start.saturating_add(len);
        if !is_whole || range.start < heap.start || range.end > heap.end {
            return -i64::from(libc::EINVAL);
        }
        self.memory.discard(&range).map_or(-i64::from(libc::ENOMEM), |()| len as i64)
    }

    /// Tells the server what time it is, once in each outermost call.
    fn tell_time(&mut self) -> Result<()> {
        let number = self.execution.last_call();
        if self.told == number {
            return Ok(());
        }
        self.told = number;
        let time = world::time(&self.options);
        let Some(control) = &mut self.control else { return Ok(()) };
        control.write(control.start() + WORLD_TIME, &time.to_ne_bytes())
    }

    /// Foreign code gave up, at the return address that it left.
    pub(super) fn aborted(&self) -> Error {
        let stack = self.execution.context.left.stack.load(Relaxed) as u32 as usize;
        let caller = self.stack_words(stack, 1).first().map_or(0, |word| *word as u32 as usize);
        let fault = Fault {
            kind: FaultKind::Abort,
            address: caller,
            place: omniglot_core::Text::default(),
        };
        Error::Fault(self.with_place(fault, caller))
    }
}
