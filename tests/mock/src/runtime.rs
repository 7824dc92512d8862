//! The runtime.
#![allow(unsafe_code)]

use std::collections::VecDeque;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex};

use omniglot_core::*;

pub const BASE: usize = 0x40_0000;
pub const SIZE: usize = 1 << 16;
/// What is before this is foreign code and constants.
pub const READ_ONLY_END: usize = BASE + 0x100;
/// The exchange area starts here; what is before it is the foreign library's.
pub const EXCHANGE: usize = BASE + SIZE / 2;

/// What foreign code does next.
pub enum Step {
    /// Write bytes anywhere in the window.
    Write(usize, Vec<u8>),
    /// Call back, with arguments at this address.
    Callback(u32, usize),
    /// Write bytes at an offset of the innermost call's frame.
    Result(usize, Vec<u8>),
    /// Return from the innermost call.
    Return,
    /// End so.
    Fail(Error),
}

/// What foreign code is to do, and what it saw.
#[derive(Default)]
pub struct Foreigner {
    pub script: VecDeque<Step>,
    /// What was entered: the shim's number.
    pub entered: Vec<usize>,
    pub replies: Vec<Reply>,
    pub is_killed: bool,
    /// How many calls each operation had so far, and whether the last one is over.
    pub operations: Vec<usize>,
    pub in_operation: bool,
    last_operation: u64,
    /// The number of the outermost call in progress.
    pub running: Option<u64>,
    /// The highest number of one so far.
    pub last_call: u64,
    /// How many outermost calls and operations began.
    pub begun: usize,
    /// Whether this is a forked child.
    pub forked: bool,
    /// What the next resets are to fail with.
    pub refusals: VecDeque<Error>,
    /// Whether the next reset panics when the memory is another already.
    pub reset_panics: bool,
}

impl Foreigner {
    fn enter(&mut self, shim: usize, calls: &Calls) {
        self.entered.push(shim);
        if calls.is_in_operation() {
            if calls.number() > self.last_operation {
                self.last_operation = calls.number();
                self.operations.push(0);
            }
            *self.operations.last_mut().unwrap() += 1;
            self.in_operation = true;
        }
    }
}

pub struct Mock<const CONCURRENT: bool = false> {
    memory: *mut [u64],
    window: Window,
    frames: Vec<usize>,
    pub foreign: Arc<Mutex<Foreigner>>,
}

// SAFETY: the memory is the mock's own.
unsafe impl<const C: bool> Send for Mock<C> {}

impl<const C: bool> Default for Mock<C> {
    fn default() -> Self {
        let memory = Box::into_raw(vec![0u64; SIZE / 8].into_boxed_slice());
        let host = NonNull::new(memory.cast::<u8>()).unwrap();
        // SAFETY: leaked above, freed only in drop.
        let window = unsafe { Window::new(host, BASE, SIZE) };
        Self { memory, window, frames: Vec::new(), foreign: Arc::default() }
    }
}

impl<const C: bool> Drop for Mock<C> {
    fn drop(&mut self) {
        // SAFETY: made by Box::into_raw, dropped once.
        drop(unsafe { Box::from_raw(self.memory) });
    }
}

impl<const C: bool> Mock<C> {
    /// Writes as foreign code does, at any time.
    pub fn scribble(&self, address: usize, bytes: &[u8]) {
        let offset = address - BASE;
        assert!(offset + bytes.len() <= SIZE);
        let into = self.memory.cast::<u8>().wrapping_add(offset);
        // SAFETY: in the memory that the mock owns, of which there are no references.
        unsafe { into.copy_from(bytes.as_ptr(), bytes.len()) };
    }

    fn next(&mut self) -> Result<Event> {
        loop {
            let step = self.foreign.lock().unwrap().script.pop_front();
            match step.unwrap_or(Step::Return) {
                Step::Write(address, bytes) => self.scribble(address, &bytes),
                Step::Result(offset, bytes) => {
                    self.scribble(self.frames.last().unwrap() + offset, &bytes);
                }
                Step::Callback(slot, arguments) => return Ok(Event::Callback { slot, arguments }),
                Step::Return => {
                    self.frames.pop();
                    return Ok(Event::Returned);
                }
                Step::Fail(error) => return Err(error),
            }
        }
    }
}

// SAFETY: there is no foreign code; the window is memory of the mock's own.
unsafe impl<const C: bool> Runtime for Mock<C> {
    const GUARANTEES: Guarantees =
        Guarantees { memory: true, types: true, aliasing: true, containment: true };
    const TICKS_PER_SECOND: u64 = 1_000;
    type InterruptHandle = ();

    fn window(&self) -> &Window {
        &self.window
    }
    fn check_alive(&self) -> Result<()> {
        if self.foreign.lock().unwrap().forked { Err(Error::Forked) } else { Ok(()) }
    }
    fn is_concurrent(&self) -> bool {
        C
    }
    fn check_writable(&self, address: usize, len: usize) -> Result<()> {
        self.window.check(address, len)?;
        let writable = len == 0 || address >= READ_ONLY_END;
        if writable { Ok(()) } else { Err(Error::ReadOnly { address, len }) }
    }
    fn exchange(&self) -> (usize, usize) {
        (EXCHANGE, SIZE / 2)
    }
    fn shim(&self, index: u32) -> Option<usize> {
        (index < 8).then_some(0x100 + index as usize)
    }
    fn trampoline(&self, slot: u32) -> Option<usize> {
        (slot < 80).then_some(0x200 + slot as usize)
    }
    unsafe fn run(&mut self, step: omniglot_core::Step, calls: &mut Calls) -> Result<Event> {
        {
            let mut foreign = self.foreign.lock().unwrap();
            // What a session promises of a step, and a runtime relies on.
            assert!(!foreign.forked && !foreign.is_killed);
            assert_eq!(foreign.running, Some(calls.number()));
            match step {
                omniglot_core::Step::Call { entry, arguments } => {
                    assert_eq!(self.frames.len(), calls.depth() as usize);
                    foreign.enter(entry - 0x100, calls);
                    self.frames.push(arguments);
                }
                omniglot_core::Step::Resume(reply) => {
                    assert_eq!(self.frames.len(), calls.depth() as usize + 1);
                    foreign.replies.push(reply);
                }
            }
        }
        let event = self.next();
        if event.is_err() {
            self.frames.pop();
        }
        event
    }
    fn kill(&mut self) {
        let mut foreign = self.foreign.lock().unwrap();
        assert!(!foreign.is_killed, "killed once");
        foreign.is_killed = true;
        foreign.running = None;
    }
    fn begin_call(&mut self, number: u64) {
        let mut foreign = self.foreign.lock().unwrap();
        foreign.begun += 1;
        assert!(number > foreign.last_call, "numbers only grow");
        foreign.last_call = number;
        let last = foreign.running.replace(number);
        assert_eq!(last, None);
    }
    fn last_call(&self) -> u64 {
        self.foreign.lock().unwrap().last_call
    }
    fn end_call(&mut self) {
        let mut foreign = self.foreign.lock().unwrap();
        foreign.running = None;
        foreign.in_operation = false;
    }
    fn reload(&mut self, _calls: &mut Calls) -> Result<()> {
        let mut foreign = self.foreign.lock().unwrap();
        if let Some(error) = foreign.refusals.pop_front() {
            return Err(error);
        }
        foreign.is_killed = false;
        drop(foreign);
        // Another place, as a runtime with a fresh worker has one; what is left of the old
        // memory would show as a use after free.
        let mut fresh = Self::default();
        fresh.foreign = Arc::clone(&self.foreign);
        *self = fresh;
        let panics = std::mem::take(&mut self.foreign.lock().unwrap().reset_panics);
        assert!(!panics, "in a reset");
        Ok(())
    }
    fn isolation(&self) -> IsolationKind {
        IsolationKind::Unprotected
    }
    fn interrupt_handle(&self) -> Self::InterruptHandle {}
}
