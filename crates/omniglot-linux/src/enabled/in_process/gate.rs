//! The call gate's declarations; the code is in `gate.S`.
#![allow(unsafe_code)]

use std::mem::offset_of;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};

use super::handler::on_signal;
use super::threads::{ARENA_SIZE, ARENA_START, RECORD, SLOT, Thread};

/// How many domains a process can have at once: each has a pair of doors.
pub(super) const DOORS: usize = 1024;
/// The distance of two doors in bytes.
const DOOR: usize = 16;

/// The crossings of all domains, by number.
pub(super) static CROSSINGS: [AtomicPtr<Crossing>; DOORS] =
    [const { AtomicPtr::new(std::ptr::null_mut()) }; DOORS];

/// Registers that foreign code starts with, or left.
#[repr(C)]
#[derive(Debug, Default)]
pub(super) struct Registers {
    pub(super) target: AtomicU64,
    pub(super) stack: AtomicU64,
    pub(super) rbp: AtomicU64,
    pub(super) rbx: AtomicU64,
    pub(super) r12: AtomicU64,
    pub(super) r13: AtomicU64,
    pub(super) r14: AtomicU64,
    pub(super) r15: AtomicU64,
    /// In `rax` on the way in; a callback's slot, in `rdi`, on the way out.
    pub(super) entry: AtomicU64,
    /// In `rdi` on the way in; a callback's arguments, in `rsi`, on the way out.
    pub(super) argument: AtomicU64,
    pub(super) mxcsr: AtomicU32,
    pub(super) x87: AtomicU32,
}

/// What the gate, the signal handlers and other threads must know of a domain's call.
///
/// All of it is atomic, though one thread at a time runs the domain: the gate and the
/// handlers change it behind the compiler's back.
#[repr(C)]
#[derive(Debug, Default)]
pub(super) struct Crossing {
    /// Where the host's registers are saved.
    pub(super) host_stack: AtomicU64,
    /// The FS bases.
    pub(super) host_thread: AtomicU64,
    pub(super) foreign_thread: AtomicU64,
    /// The running thread's selector byte.
    pub(super) selector: AtomicPtr<u8>,
    /// The outermost call that runs, counted from 1.
    pub(super) number: AtomicU64,
    /// The call that must stop: twice its number, and 1 if its time is over.
    pub(super) stop: AtomicU64,
    pub(super) next: Registers,
    pub(super) left: Registers,
    /// Beyond this, what only Rust code uses.
    pub(super) outcome: Outcome,
    /// The running thread's id; 0 while none runs.
    pub(super) thread_id: AtomicU32,
    /// When the time of the stretch that runs is over, in nanoseconds since the
    /// watchdog's epoch; 0 while nothing is limited.
    pub(super) deadline: AtomicU64,
    /// The number of the call that may be interrupted; 0 between calls.
    pub(super) running: AtomicU64,
    /// What the handlers must know of the domain.
    pub(super) domain: Domain,
}

/// Why foreign code was abandoned.
#[repr(C)]
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) kind: AtomicU32,
    pub(super) signal: AtomicU32,
    pub(super) address: AtomicU64,
    pub(super) instruction: AtomicU64,
    pub(super) stack: AtomicU64,
    /// Of a system call, or an exit status.
    pub(super) number: AtomicU64,
}

/// A domain's memory and permissions.
#[repr(C)]
#[derive(Debug, Default)]
pub(super) struct Domain {
    pub(super) base: AtomicUsize,
    pub(super) size: AtomicUsize,
    /// The host's address of the window's start.
    pub(super) alias: AtomicPtr<u8>,
    /// The permissions' bits.
    pub(super) allow: AtomicU32,
}

pub(super) const RETURNED: u32 = 0;
pub(super) const CALLED_BACK: u32 = 1;
pub(super) const ABANDONED: u32 = 2;
pub(super) const STOPPED: u32 = 3;

std::arch::global_asm!(
    include_str!("gate.S"),
    HOST_STACK = const offset_of!(Crossing, host_stack),
    HOST_THREAD = const offset_of!(Crossing, host_thread),
    FOREIGN_THREAD = const offset_of!(Crossing, foreign_thread),
    SELECTOR = const offset_of!(Crossing, selector),
    NUMBER = const offset_of!(Crossing, number),
    STOP = const offset_of!(Crossing, stop),
    NEXT = const offset_of!(Crossing, next),
    LEFT = const offset_of!(Crossing, left),
    TARGET = const offset_of!(Registers, target),
    STACK = const offset_of!(Registers, stack),
    RBP = const offset_of!(Registers, rbp),
    RBX = const offset_of!(Registers, rbx),
    R12 = const offset_of!(Registers, r12),
    R13 = const offset_of!(Registers, r13),
    R14 = const offset_of!(Registers, r14),
    R15 = const offset_of!(Registers, r15),
    ENTRY = const offset_of!(Registers, entry),
    ARGUMENT = const offset_of!(Registers, argument),
    MXCSR = const offset_of!(Registers, mxcsr),
    X87 = const offset_of!(Registers, x87),
    RETURNED = const RETURNED,
    CALLED_BACK = const CALLED_BACK,
    ABANDONED = const ABANDONED,
    STOPPED = const STOPPED,
    BAD_FLAGS = const 0x44400, // AC, NT, DF: Intel SDM volume 1, section 3.4.3
    DOORS = const DOORS,
    CROSSINGS = sym CROSSINGS,
    ARENA_START = sym ARENA_START,
    ARENA_SIZE = sym ARENA_SIZE,
    SLOT = const SLOT,
    RECORD = const RECORD,
    THREAD_SELECTOR = const offset_of!(Thread, selector),
    THREAD_POINTER = const offset_of!(Thread, pointer),
    ON_SIGNAL = sym on_signal,
);

unsafe extern "C" {
    fn omniglot_enter(crossing: *const Crossing) -> u32;
    fn omniglot_go_on();
    fn omniglot_return_doors();
    fn omniglot_callback_doors();
    fn omniglot_commit();
    fn omniglot_commit_end();
    fn omniglot_resume();
    fn omniglot_resume_end();
    fn omniglot_abandoned();
    fn omniglot_signal();
    pub(super) fn omniglot_on_stack(
        signal: i32,
        info: *mut libc::siginfo_t,
        context: *mut libc::c_void,
        handler: usize,
        stack: usize,
    );
}

/// Runs foreign code with `crossing.next` until it returns, calls back or is abandoned.
///
/// # Safety
/// - The calling thread is registered, and its selector byte and FS base are in the
///   crossing, as are the domain's number and memory (invariant 8).
/// - Nothing but this thread runs the domain.
#[inline]
pub(super) unsafe fn enter(crossing: &Crossing) -> u32 {
    // SAFETY: the caller's promise. The gate keeps all that the System V ABI has a callee
    // keep; foreign code runs on a stack of its own.
    unsafe { omniglot_enter(crossing) }
}

/// The addresses of a domain's doors: for returns, and for callbacks.
pub(super) fn doors(index: usize) -> (usize, usize) {
    let offset = index * DOOR;
    (omniglot_return_doors as *const () as usize + offset, omniglot_callback_doors as *const () as usize + offset)
}

/// An instruction that returns from a callback.
pub(super) fn go_on() -> usize {
    omniglot_go_on as *const () as usize
}

/// Where a signal handler sends a thread.
pub(super) mod places {
    use std::ops::Range;

    pub(in super::super) fn commit() -> Range<usize> {
        super::omniglot_commit as *const () as usize..super::omniglot_commit_end as *const () as usize
    }

    pub(in super::super) fn resume() -> Range<usize> {
        super::omniglot_resume as *const () as usize..super::omniglot_resume_end as *const () as usize
    }

    pub(in super::super) fn abandoned() -> usize {
        super::omniglot_abandoned as *const () as usize
    }

    pub(in super::super) fn signal() -> usize {
        super::omniglot_signal as *const () as usize
    }
}
