//! A runtime without foreign code: a script says what "foreign code" does, so that
//! core's own rules can be tested, and under Miri too.
#![allow(unsafe_code, missing_docs, unreachable_pub, dead_code, clippy::unwrap_used)]

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
    pub abandoned: Option<Cause>,
    /// How many calls each operation had so far, and whether the last one is over.
    pub operations: Vec<usize>,
    pub in_operation: bool,
    /// Whether this is a forked child.
    pub forked: bool,
    /// What the next resets are to fail with.
    pub refusals: VecDeque<Error>,
}

impl Foreigner {
    fn enter(&mut self, shim: usize) {
        self.entered.push(shim);
        if let Some(calls) = self.operations.last_mut().filter(|_| self.in_operation) {
            *calls += 1;
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
    fn enter(&mut self, entry: usize, arguments: usize) -> Result<Event> {
        self.foreign.lock().unwrap().enter(entry - 0x100);
        self.frames.push(arguments);
        self.next()
    }
    fn resume(&mut self, reply: Reply) -> Result<Event> {
        self.foreign.lock().unwrap().replies.push(reply);
        self.next()
    }
    fn abandon(&mut self, cause: Cause) {
        self.foreign.lock().unwrap().abandoned = Some(cause);
    }
    fn reset(&mut self) -> Result<()> {
        let mut foreign = self.foreign.lock().unwrap();
        if let Some(error) = foreign.refusals.pop_front() {
            return Err(error);
        }
        foreign.abandoned = None;
        drop(foreign);
        // Another place, as a runtime with a fresh worker has one; what is left of the old
        // memory would show as a use after free.
        let mut fresh = Self::default();
        fresh.foreign = Arc::clone(&self.foreign);
        *self = fresh;
        Ok(())
    }
    fn isolation(&self) -> IsolationKind {
        IsolationKind::Unprotected
    }
    fn begin_operation(&mut self) {
        let mut foreign = self.foreign.lock().unwrap();
        assert!(!foreign.in_operation);
        foreign.operations.push(0);
        foreign.in_operation = true;
    }
    fn end_operation(&mut self) {
        assert!(std::mem::take(&mut self.foreign.lock().unwrap().in_operation));
    }
    fn set_timeout(&mut self, _limit: Option<std::time::Duration>) {}
    fn interrupt_handle(&self) -> Self::InterruptHandle {}
}
