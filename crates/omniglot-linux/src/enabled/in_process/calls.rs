//! The foreign stack: where a domain's calls in progress began, and where their callbacks wait.

use std::sync::atomic::Ordering::Relaxed;

use super::context::Registers;

/// The floating-point control words that the System V ABI gives a program at its start (section
/// 3.2.1 and figure 3.4).
const MXCSR: u32 = 0x1f80;
const X87: u32 = 0x37f;

/// A domain's calls on the foreign stack. Each one but the innermost waits in a callback; the
/// innermost may, too.
///
/// The innermost is not on the heap, since most calls are the only one. The session knows how many
/// there are.
#[derive(Debug, Default)]
pub(super) struct Stacks {
    innermost: Level,
    outer: Vec<Level>,
    /// Whether the registers for foreign code are those that a call begins with, but for the stack
    /// pointer: after a call without callbacks they are, and need not be stored again.
    are_fresh: bool,
    /// Whether the registers with which the innermost call waits are still where the gate left
    /// them, since no other call has begun.
    are_left: bool,
}

/// A call in progress.
#[derive(Debug, Default)]
struct Level {
    /// The foreign stack pointer that it began with, and must return with.
    began: u64,
    /// Where its callback waits, if it is in one and another call has begun since.
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

impl Stacks {
    /// Starts a call with that stack pointer, or, if others wait (`depth` of them), below what the
    /// innermost has on the stack, and sets the registers that it begins with.
    #[inline(always)]
    pub(super) fn begin(&mut self, depth: u32, bottom: u64, left: &Registers, next: &Registers) {
        let began = if depth > 0 { self.begin_nested(left) } else { bottom };
        self.innermost.began = began;
        next.stack.store(began, Relaxed);
        if !self.are_fresh {
            self.refresh(next);
        }
    }

    #[cold]
    fn begin_nested(&mut self, left: &Registers) -> u64 {
        if std::mem::take(&mut self.are_left) {
            self.innermost.waits = Waiting::of(left);
        }
        // Calls begin at multiples of 16: System V ABI, section 3.2.2.
        let began = self.innermost.waits.stack & !15;
        let waits = std::mem::take(&mut self.innermost);
        self.outer.push(waits);
        began
    }

    #[cold]
    fn refresh(&mut self, next: &Registers) {
        let stack = self.innermost.began;
        Waiting { stack, saved: [0; 6], mxcsr: MXCSR, x87: X87 }.store(next);
        self.are_fresh = true;
    }

    /// The stack pointer with which the innermost call must return; 0 if there is none.
    #[inline]
    pub(super) const fn began(&self) -> u64 {
        self.innermost.began
    }

    /// The innermost call has ended; that many wait below it.
    #[inline]
    pub(super) fn end(&mut self, depth: u32) {
        if depth > 0 {
            self.innermost = self.outer.pop().unwrap_or_default();
            self.are_left = false;
        }
    }

    /// The innermost call waits for an answer, with the registers that the gate left.
    #[inline]
    pub(super) const fn wait(&mut self) {
        self.are_left = true;
    }

    /// The innermost call resumes, with the registers with which it waits.
    #[inline]
    pub(super) fn go_on(&mut self, left: &Registers, next: &Registers) {
        self.are_fresh = false;
        if self.are_left {
            Waiting::of(left).store(next);
        } else {
            self.innermost.waits.store(next);
        }
    }

    /// Abandons all calls; the registers for foreign code may be cleared.
    pub(super) fn clear(&mut self) {
        self.are_fresh = false;
        self.are_left = false;
        self.innermost = Level::default();
        self.outer.clear();
    }
}

impl Waiting {
    #[inline]
    fn of(left: &Registers) -> Self {
        let saved = [&left.rbp, &left.rbx, &left.r12, &left.r13, &left.r14, &left.r15];
        Self {
            stack: left.stack.load(Relaxed),
            saved: saved.map(|register| register.load(Relaxed)),
            mxcsr: left.mxcsr.load(Relaxed),
            x87: left.x87.load(Relaxed),
        }
    }

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
