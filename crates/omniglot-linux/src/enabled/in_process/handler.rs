//! What becomes of a signal: the host's, or the end of a foreign call.
//!
//! Everything here runs in signal handlers: no allocation, no locks, no panics.
#![allow(unsafe_code)]

use std::sync::atomic::Ordering;

use super::super::layout::SCRATCH;
use super::gate::{Crossing, places};
use super::signals::{self, KICK};
use super::syscalls::{self, Answer};
use super::threads::Thread;

/// Kinds of an `Outcome`.
pub(super) const FAULT: u32 = 1;
pub(super) const DENIED: u32 = 2;
pub(super) const EXITED: u32 = 3;
pub(super) const STOP: u32 = 4;

/// `SYS_USER_DISPATCH` of asm-generic/siginfo.h.
const USER_DISPATCH: i32 = 2;

/// What the gate's signal code should do with the FS base.
const AS_IT_WAS: u32 = 1;
const KEEP_THE_HOSTS: u32 = 0;

/// Code and stack segments of 64-bit programs, as the context holds them: `__USER_CS`,
/// `__USER_DS` of the kernel's asm/segment.h.
const SEGMENTS: u64 = 0x33 | 0x2b << 48;
const CODE_AND_STACK: u64 = 0xffff | 0xffff << 48;
/// Interrupts on, all else clear.
const PLAIN_FLAGS: i64 = 0x202;
/// What the ABI lets a signal handler, or a leaf function, find below the stack pointer.
const RED_ZONE: u64 = 256;

/// An interrupted thread, in foreign code.
struct Interrupted<'a> {
    signal: i32,
    info: *mut libc::siginfo_t,
    context: *mut libc::ucontext_t,
    crossing: &'a Crossing,
}

/// Called by the gate's signal code, with the host's FS base and system calls allowed.
///
/// `blocked` says whether they were not; `thread` is null on a thread that never entered
/// foreign code.
pub(super) extern "C" fn on_signal(
    signal: i32,
    info: *mut libc::siginfo_t,
    context: *mut libc::ucontext_t,
    thread: *const Thread,
    blocked: u32,
) -> u32 {
    // SAFETY: null, or the record of this thread (invariant 9).
    let thread = unsafe { thread.as_ref() };
    let crossing = thread.map_or(std::ptr::null(), |thread| {
        thread.crossing.load(Ordering::Relaxed).cast_const()
    });
    let instruction = register(context, libc::REG_RIP);
    let place = instruction as usize;
    let foreign = blocked != 0 || places::commit().contains(&place) || places::resume().contains(&place);
    // SAFETY: null, or the crossing that runs on this thread, whose owner is in a call.
    match unsafe { crossing.as_ref() }.filter(|_| foreign) {
        Some(crossing) => Interrupted { signal, info, context, crossing }.handle(),
        None => {
            let below = register(context, libc::REG_RSP).wrapping_sub(RED_ZONE) & !15;
            signals::pass_on(signal, info, context.cast(), Some(below as usize));
            AS_IT_WAS
        }
    }
}

fn register(context: *mut libc::ucontext_t, which: i32) -> u64 {
    // SAFETY: the kernel's context.
    let registers = unsafe { &(*context).uc_mcontext.gregs };
    registers.get(which as usize).copied().unwrap_or(0).cast_unsigned()
}

fn set_register(context: *mut libc::ucontext_t, which: i32, value: u64) {
    // SAFETY: the kernel's context, which nobody else looks at now.
    let registers = unsafe { &mut (*context).uc_mcontext.gregs };
    if let Some(register) = registers.get_mut(which as usize) {
        *register = value.cast_signed();
    }
}

impl Interrupted<'_> {
    fn handle(self) -> u32 {
        let sent = signals::is_sent(self.info);
        match self.signal {
            KICK if sent => self.look(),
            libc::SIGSYS if self.code() == USER_DISPATCH => self.system_call(),
            signal if signals::FAULTS.contains(&signal) && !sent => self.fault(signal),
            _ => self.of_the_host(),
        }
    }

    fn code(&self) -> i32 {
        // SAFETY: the kernel's siginfo.
        unsafe { (*self.info).si_code }
    }

    fn register(&self, which: i32) -> u64 {
        register(self.context, which)
    }

    /// A kick: the call stops if it is the one that was meant.
    fn look(self) -> u32 {
        if self.must_stop() { self.abandon(STOP) } else { self.of_the_host() }
    }

    /// A signal of the host's, which foreign code does not notice.
    fn of_the_host(self) -> u32 {
        let stack = self.crossing.host_stack.load(Ordering::Relaxed).wrapping_sub(RED_ZONE) & !15;
        signals::pass_on(self.signal, self.info, self.context.cast(), Some(stack as usize));
        if self.must_stop() { self.abandon(STOP) } else { self.go_on() }
    }

    fn must_stop(&self) -> bool {
        let stop = self.crossing.stop.load(Ordering::Acquire);
        stop >> 1 == self.crossing.number.load(Ordering::Relaxed)
    }

    fn system_call(self) -> u32 {
        let number = self.register(libc::REG_RAX);
        let arguments = [libc::REG_RDI, libc::REG_RSI, libc::REG_RDX, libc::REG_R10]
            .map(|register| self.register(register));
        match syscalls::answer(&self.crossing.domain, number, arguments) {
            Answer::Value(value) => {
                set_register(self.context, libc::REG_RAX, value.cast_unsigned());
                self.go_on()
            }
            Answer::Abort => self.fault(libc::SIGABRT),
            Answer::Exit => self.end(EXITED, arguments[0] & 0xff),
            Answer::Denied => self.end(DENIED, number),
        }
    }

    fn end(self, kind: u32, number: u64) -> u32 {
        self.crossing.outcome.number.store(number, Ordering::Relaxed);
        self.abandon(kind)
    }

    fn fault(self, signal: i32) -> u32 {
        // SAFETY: the kernel's siginfo; faults have an address.
        let address = unsafe { (*self.info).si_addr() };
        let outcome = &self.crossing.outcome;
        outcome.signal.store(signal.unsigned_abs(), Ordering::Relaxed);
        outcome.address.store(address.addr() as u64, Ordering::Relaxed);
        self.abandon(FAULT)
    }

    /// Sends the thread to where the gate comes back to the host.
    fn abandon(self, kind: u32) -> u32 {
        let outcome = &self.crossing.outcome;
        outcome.kind.store(kind, Ordering::Relaxed);
        outcome.instruction.store(self.register(libc::REG_RIP), Ordering::Relaxed);
        outcome.stack.store(self.register(libc::REG_RSP), Ordering::Relaxed);
        let stack = self.crossing.host_stack.load(Ordering::Relaxed);
        self.return_to(places::abandoned() as u64, stack);
        KEEP_THE_HOSTS
    }

    /// Lets foreign code go on, through the gate.
    fn go_on(self) -> u32 {
        let place = self.register(libc::REG_RIP) as usize;
        if places::commit().contains(&place) {
            let crossing = std::ptr::from_ref(self.crossing).addr() as u64;
            set_register(self.context, libc::REG_RBX, crossing);
            self.return_to(places::commit().start as u64, self.register(libc::REG_RSP));
            return AS_IT_WAS;
        }
        // What was interrupted on its way back is in the scratch area already.
        if !places::resume().contains(&place) && !self.save() {
            return self.end(FAULT, 0);
        }
        let selector = self.crossing.selector.load(Ordering::Relaxed).addr();
        let scratch = self.crossing.domain.base.load(Ordering::Relaxed) + SCRATCH;
        set_register(self.context, libc::REG_RDI, selector as u64);
        set_register(self.context, libc::REG_RSI, scratch as u64);
        self.return_to(places::resume().start as u64, scratch as u64);
        AS_IT_WAS
    }

    /// Writes all general registers to the domain's scratch area.
    fn save(&self) -> bool {
        const ORDER: [i32; 15] = [
            libc::REG_RAX,
            libc::REG_RBX,
            libc::REG_RCX,
            libc::REG_RDX,
            libc::REG_RSI,
            libc::REG_RDI,
            libc::REG_RBP,
            libc::REG_R8,
            libc::REG_R9,
            libc::REG_R10,
            libc::REG_R11,
            libc::REG_R12,
            libc::REG_R13,
            libc::REG_R14,
            libc::REG_R15,
        ];
        let mut words = [0; 20];
        for (word, which) in words.iter_mut().zip(ORDER) {
            *word = self.register(which);
        }
        let segments = self.register(libc::REG_CSGSFS);
        let frame = [
            self.register(libc::REG_RIP),
            segments & 0xffff,
            self.register(libc::REG_EFL),
            self.register(libc::REG_RSP),
            segments >> 48,
        ];
        for (word, value) in words.iter_mut().skip(ORDER.len()).zip(frame) {
            *word = value;
        }
        self.crossing.domain.write(SCRATCH, &words)
    }

    fn return_to(&self, instruction: u64, stack: u64) {
        let segments = self.register(libc::REG_CSGSFS) & !CODE_AND_STACK | SEGMENTS;
        set_register(self.context, libc::REG_CSGSFS, segments);
        set_register(self.context, libc::REG_EFL, PLAIN_FLAGS.cast_unsigned());
        set_register(self.context, libc::REG_RIP, instruction);
        set_register(self.context, libc::REG_RSP, stack);
    }
}
