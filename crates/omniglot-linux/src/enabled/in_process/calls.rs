//! The calls of a domain that are in progress.

use std::sync::atomic::Ordering::Relaxed;

use super::gate::Registers;

/// What the System V ABI gives a program to start with (section 3.2.1 and figure 3.4).
const MXCSR: u32 = 0x1f80;
const X87: u32 = 0x37f;

/// Each call but the innermost waits in a callback; that one may, too.
///
/// The innermost is not on the heap, since most calls are the only one.
#[derive(Debug, Default)]
pub(super) struct Calls {
    open: u32,
    in_callback: bool,
    innermost: Level,
    outer: Vec<Level>,
}

/// A call in progress.
#[derive(Debug, Default)]
struct Level {
    /// The foreign stack pointer that it began with, and must return with.
    began: u64,
    /// Where its callback waits, if it is in one.
    waits: Waiting,
}

/// The registers that a waiting trampoline needs.
#[derive(Debug, Default)]
struct Waiting {
    stack: u64,
    saved: [u64; 6],
    mxcsr: u32,
    x87: u32,
}

impl Calls {
    pub(super) const fn open(&self) -> u32 {
        self.open
    }

    /// Whether the innermost call waits in a callback.
    pub(super) const fn are_in_callback(&self) -> bool {
        self.in_callback
    }

    /// Whether foreign code runs, so that nothing can be asked of it.
    #[inline]
    pub(super) const fn are_running(&self) -> bool {
        self.open > 0 && !self.in_callback
    }

    /// A call begins with that stack pointer, or, if another waits, on top of what that has
    /// there; says with which.
    #[inline]
    pub(super) fn begin(&mut self, bottom: u64) -> u64 {
        if self.open > 0 {
            return self.begin_nested();
        }
        self.open = 1;
        self.innermost.began = bottom;
        bottom
    }

    #[cold]
    fn begin_nested(&mut self) -> u64 {
        // Calls begin at multiples of 16: System V ABI, section 3.2.2.
        let began = self.innermost.waits.stack & !15;
        let waits = std::mem::take(&mut self.innermost);
        self.outer.push(waits);
        self.open += 1;
        self.in_callback = false;
        self.innermost.began = began;
        began
    }

    /// With which stack pointer the innermost call must return; 0 if there is none.
    #[inline]
    pub(super) const fn began(&self) -> u64 {
        if self.open > 0 { self.innermost.began } else { 0 }
    }

    /// The innermost call returned.
    #[inline]
    pub(super) fn end(&mut self) {
        self.open = self.open.saturating_sub(1);
        if self.open > 0 {
            self.innermost = self.outer.pop().unwrap_or_default();
            self.in_callback = true;
        }
    }

    /// The innermost call waits for an answer, with the registers that it left.
    #[inline]
    pub(super) fn wait(&mut self, left: &Registers) {
        let saved = [&left.rbp, &left.rbx, &left.r12, &left.r13, &left.r14, &left.r15];
        let waits = &mut self.innermost.waits;
        waits.stack = left.stack.load(Relaxed);
        waits.saved = saved.map(|register| register.load(Relaxed));
        waits.mxcsr = left.mxcsr.load(Relaxed);
        waits.x87 = left.x87.load(Relaxed);
        self.in_callback = true;
    }

    /// The innermost call goes on, with these registers.
    #[inline]
    pub(super) fn go_on(&mut self, next: &Registers) {
        self.innermost.waits.store(next);
        self.in_callback = false;
    }

    /// Gives up all calls.
    pub(super) fn clear(&mut self) {
        self.open = 0;
        self.in_callback = false;
        self.outer.clear();
    }
}

impl Waiting {
    #[inline]
    fn store(&self, next: &Registers) {
        let [rbp, rbx, r12, r13, r14, r15] = self.saved;
        next.stack.store(self.stack, Relaxed);
        next.rbp.store(rbp, Relaxed);
        next.rbx.store(rbx, Relaxed);
        next.r12.store(r12, Relaxed);
        next.r13.store(r13, Relaxed);
        next.r14.store(r14, Relaxed);
        next.r15.store(r15, Relaxed);
        next.mxcsr.store(self.mxcsr, Relaxed);
        next.x87.store(self.x87, Relaxed);
    }
}

/// The registers that a call begins with.
#[inline]
pub(super) fn store_fresh(stack: u64, next: &Registers) {
    Waiting { stack, saved: [0; 6], mxcsr: MXCSR, x87: X87 }.store(next);
}
