//! The call gate's declarations; the code is in `gate.S`.
#![allow(unsafe_code)]

use std::mem::offset_of;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use super::frame::KernelContext;
use super::handler::on_signal;
use super::keys::{self, COOKIE, KEYED, SIGNAL_RIGHTS};
use super::threads::{ARENA_SIZE, ARENA_START, RECORD, SLOT, Thread};
use super::{features, identity};
use crate::enabled::generation;
use crate::enabled::layout::{NEXT, SCRATCH};

/// How many domains a process can have at once: each has a pair of exits.
pub(super) const EXITS: usize = 1024;
/// The distance of two exits in bytes.
const EXIT: usize = 16;

/// The contexts of all domains, by number.
pub(super) static CONTEXTS: [AtomicPtr<GateContext>; EXITS] =
    [const { AtomicPtr::new(std::ptr::null_mut()) }; EXITS];

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
pub(super) struct GateContext {
    /// Where the host's registers are saved.
    pub(super) host_stack: AtomicU64,
    /// The host's FS base, and the domain's; 0 if the code that runs next uses the host's.
    pub(super) host_thread: AtomicU64,
    pub(super) foreign_thread: AtomicU64,
    /// The running thread's selector byte.
    pub(super) selector: AtomicPtr<u8>,
    /// The outermost call that runs, counted from 1.
    pub(super) number: AtomicU64,
    /// The call that must stop: twice its number, plus 1 if its time is over.
    pub(super) stop: AtomicU64,
    pub(super) next: Registers,
    pub(super) left: Registers,
    /// The host's GS base.
    pub(super) host_segment: AtomicU64,
    /// The registers that the processor has to clear: [`features::AVX`] and so on; and
    /// [`BELIEVES`].
    pub(super) features: AtomicU32,
    /// The domain's protection key; 0 if it has none.
    pub(super) key: AtomicU32,
    /// PKRU while foreign code runs, and while the host does.
    pub(super) foreign_rights: AtomicU32,
    pub(super) host_rights: AtomicU32,
    /// Where the region starts of a domain whose code was verified to stay there; else 0.
    pub(super) region: AtomicU64,
    /// The vector registers of verified code that waits for what a system call does.
    vectors: [[AtomicU64; 32]; 2],
    /// Not 0 if a handler on the way in left code that has yet to be looked at.
    pub(super) is_barred: AtomicU32,
    /// The registers with which an interrupted thread goes on.
    pub(super) saved: [AtomicU64; 21],
    /// Beyond this, what only Rust code uses.
    ///
    /// Whether `saved` is from the current stretch of foreign code: only then a thread can be
    /// resuming after a signal.
    pub(super) is_saved: AtomicBool,
    pub(super) outcome: Outcome,
    /// The running thread's id; 0 while none is in foreign code or about to enter it.
    pub(super) thread_id: AtomicU32,
    /// When the time of the stretch that runs is over, in nanoseconds since the
    /// watchdog's epoch; 0 while nothing is limited.
    pub(super) deadline: AtomicU64,
    /// The number of the call that may be interrupted; 0 between calls.
    pub(super) running: AtomicU64,
    /// What the handlers must know of the domain.
    pub(super) domain: ForeignMemory,
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
pub(super) struct ForeignMemory {
    pub(super) base: AtomicUsize,
    pub(super) size: AtomicUsize,
    /// The host's address of the window's start.
    pub(super) alias: AtomicPtr<u8>,
    /// The permissions' bits.
    pub(super) allow: AtomicU32,
}

/// A bit of `GateContext::features`: the x87 unit believes a status word that says that an
/// exception waits though all are masked.
pub(super) const BELIEVES: u32 = 4;

/// More bits of it: what verified code uses of the processor beyond the general registers.
pub(super) const USES_X87: u32 = 32;
pub(super) const USES_AVX: u32 = 64;
/// And that it goes on with the vector registers that it left.
pub(super) const KEEPS_VECTORS: u32 = 128;

/// How many regions of 4 GiB a program's addresses have, 2^47 bytes (Intel SDM volume 1, section
/// 3.3.7.1, with tables of four levels, which the kernel keeps to unless it is asked for more).
pub(super) const REGIONS: usize = 1 << 15;

/// The domain in each region: null where there never was one. What is gone stays as
/// [`NO_DOMAIN`], so that the base of `%gs:` that it left in a thread is known to be none of the
/// host's.
pub(super) static REGION_TABLE: [AtomicPtr<GateContext>; REGIONS] =
    [const { AtomicPtr::new(std::ptr::null_mut()) }; REGIONS];

/// In [`REGION_TABLE`]: there was a domain.
pub(super) const NO_DOMAIN: *mut GateContext = std::ptr::dangling_mut();

pub(super) const RETURNED: u32 = 0;
pub(super) const CALLED_BACK: u32 = 1;
pub(super) const ABANDONED: u32 = 2;
pub(super) const STOPPED: u32 = 3;

std::arch::global_asm!(
    include_str!("gate.S"),
    HOST_STACK = const offset_of!(GateContext, host_stack),
    HOST_THREAD = const offset_of!(GateContext, host_thread),
    FOREIGN_THREAD = const offset_of!(GateContext, foreign_thread),
    SELECTOR = const offset_of!(GateContext, selector),
    NUMBER = const offset_of!(GateContext, number),
    STOP = const offset_of!(GateContext, stop),
    NEXT = const offset_of!(GateContext, next),
    LEFT = const offset_of!(GateContext, left),
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
    EXITS = const EXITS,
    CONTEXTS = sym CONTEXTS,
    ARENA_START = sym ARENA_START,
    ARENA_SIZE = const ARENA_SIZE,
    SLOT = const SLOT,
    RECORD = const RECORD,
    THREAD_SELECTOR = const offset_of!(Thread, selector),
    THREAD_POINTER = const offset_of!(Thread, pointer),
    THREAD_BYTE = const offset_of!(Thread, byte),
    THREAD_GENERATION = const offset_of!(Thread, generation),
    GENERATION = sym generation::WORD,
    ON_SIGNAL = sym on_signal,
    SIGNAL_RIGHTS = sym SIGNAL_RIGHTS,
    COOKIE = sym COOKIE,
    KEYED = sym KEYED,
    SHARED_SIZE = const keys::SHARED_SIZE,
    SHARED_RIGHTS = const keys::SHARED_RIGHTS,
    SHARED_WINDOWS = const keys::SHARED_WINDOWS,
    SHARED_HOST = const keys::SHARED_HOST,
    SHARED_RUNNERS = const keys::SHARED_RUNNERS,
    IDENTITY = const identity::SELECTOR,
    HOST_SEGMENT = const offset_of!(GateContext, host_segment),
    FEATURES = const offset_of!(GateContext, features),
    BELIEVES = const BELIEVES,
    AVX = const features::AVX,
    AVX512 = const features::AVX512,
    AMX = const features::AMX,
    KEEPS_OPERAND = const features::KEEPS_OPERAND,
    TILES = const features::TILES,
    KEY = const offset_of!(GateContext, key),
    FOREIGN_RIGHTS = const offset_of!(GateContext, foreign_rights),
    REGION = const offset_of!(GateContext, region),
    REGIONS = const REGIONS,
    REGION_TABLE = sym REGION_TABLE,
    USES_X87 = const USES_X87,
    USES_AVX = const USES_AVX,
    KEEPS_VECTORS = const KEEPS_VECTORS,
    VECTORS = const offset_of!(GateContext, vectors),
    BASE = const omniglot_verify::BASE,
    IS_BARRED = const offset_of!(GateContext, is_barred),
    AREA_NEXT = const NEXT,
    AREA_SCRATCH = const SCRATCH,
);

unsafe extern "C" {
    fn omniglot_enter(context: *const GateContext) -> u32;
    /// That part of the gate alone.
    #[cfg(test)]
    pub(super) fn omniglot_clear_registers(features: u32);
    fn omniglot_go_on();
    fn omniglot_keyed_enter(context: *const GateContext) -> u32;
    fn omniglot_keyed_commit();
    fn omniglot_keyed_commit_end();
    fn omniglot_keyed_leave();
    fn omniglot_keyed_checked();
    fn omniglot_keyed_exit_end();
    fn omniglot_keyed_return_exits();
    fn omniglot_keyed_callback_exits();
    fn omniglot_keyed_resume();
    fn omniglot_keyed_resume_end();
    fn omniglot_keyed_abandoned();
    fn omniglot_write_on_entry();
    fn omniglot_write_on_exit();
    fn omniglot_write_on_resume();
    fn omniglot_write_in_signal();
    fn omniglot_write_for_host();
    fn omniglot_set_rights(rights: u32);
    fn omniglot_rights() -> u32;
    fn omniglot_set_identity(descriptor: u32) -> i32;
    fn omniglot_identity() -> u32;
    static omniglot_shared: u8;
    fn omniglot_return_exits();
    fn omniglot_callback_exits();
    fn omniglot_commit();
    fn omniglot_commit_end();
    fn omniglot_resume();
    fn omniglot_resume_end();
    fn omniglot_abandoned();
    fn omniglot_sfi_enter(context: *const GateContext) -> u32;
    fn omniglot_sfi_commit();
    fn omniglot_sfi_commit_end();
    fn omniglot_sfi_asked();
    fn omniglot_sfi_called_back();
    fn omniglot_sfi_returned();
    fn omniglot_sfi_exit_end();
    fn omniglot_sfi_abandoned();
    fn omniglot_signal();
    pub(super) fn omniglot_on_stack(
        signal: i32,
        info: *mut libc::siginfo_t,
        context: *mut KernelContext,
        handler: unsafe extern "C" fn(i32, *mut libc::siginfo_t, *mut KernelContext),
        stack: usize,
    );
}

/// Runs foreign code with `context.next` until it returns, calls back or is abandoned.
///
/// # Safety
/// - The calling thread is registered, and its selector byte and FS base are in the context, as are
///   the domain's number and memory (invariant 8).
/// - Only this thread runs the domain.
#[inline]
pub(super) unsafe fn enter(context: &GateContext) -> u32 {
    // SAFETY: the caller keeps the context whole (invariant 8). The gate keeps all that the System
    // V ABI has a callee keep (invariant 17); foreign code runs on a stack of its own.
    unsafe { omniglot_enter(context) }
}

/// As [`enter`], for a domain behind a protection key.
///
/// # Safety
/// As [`enter`]; and the thread's selector is in the shared page, its PKRU and the domain's
/// are in the context, the registers in the domain's memory; the shared page says that this
/// thread runs the domain, and no other thread with the same number is in foreign code.
pub(super) unsafe fn enter_keyed(context: &GateContext) -> u32 {
    // SAFETY: as in `enter` (invariants 8, 17); the rights are the domain's, as the caller promises
    // (invariant 10).
    unsafe { omniglot_keyed_enter(context) }
}

/// As [`enter`], for a domain of verified code.
///
/// # Safety
/// As [`enter`], but that the thread needs no selector; and the context says where the region is,
/// which is mapped as invariant 18 says, and what its code uses; `next` has a target in the region
/// or its page of gates, at which verified code may be entered, and a stack pointer in the region.
#[inline]
pub(super) unsafe fn enter_sfi(context: &GateContext) -> u32 {
    // SAFETY: as in `enter` (invariants 8, 17); the code stays in its region (invariant 18).
    unsafe { omniglot_sfi_enter(context) }
}

/// Where the page of gates of each region leads: for returns, for callbacks, and for those that
/// stand for system calls.
pub(super) fn sfi_exits() -> [usize; 3] {
    [
        omniglot_sfi_returned as *const () as usize,
        omniglot_sfi_called_back as *const () as usize,
        omniglot_sfi_asked as *const () as usize,
    ]
}

/// The addresses of the exits of a key's domain.
pub(super) fn keyed_exits(key: u32) -> (usize, usize) {
    let offset = key as usize * EXIT;
    (
        omniglot_keyed_return_exits as *const () as usize + offset,
        omniglot_keyed_callback_exits as *const () as usize + offset,
    )
}

/// The instructions of the gate that write PKRU, and check the written value.
pub(super) fn writes() -> [usize; 5] {
    [
        omniglot_write_on_entry as *const () as usize,
        omniglot_write_on_exit as *const () as usize,
        omniglot_write_on_resume as *const () as usize,
        omniglot_write_in_signal as *const () as usize,
        omniglot_write_for_host as *const () as usize,
    ]
}

/// The address of the page that foreign code can read, and of the selectors after it.
pub(super) fn shared() -> usize {
    (&raw const omniglot_shared).addr()
}

/// Reads PKRU.
///
/// # Safety
/// The processor has protection keys, and the kernel uses them.
pub(super) unsafe fn rights() -> u32 {
    // SAFETY: the processor has protection keys, as the caller promises (invariant 17).
    unsafe { omniglot_rights() }
}

/// The calling thread's number, as its segment descriptor says.
pub(super) fn identity() -> u32 {
    // SAFETY: reads the limit of a descriptor, of which there need be none (invariant 17).
    unsafe { omniglot_identity() }
}

/// Gives the calling thread a segment descriptor: 0, or an error number, negated.
///
/// # Safety
/// The descriptor is a `user_desc` of asm/ldt.h, that the kernel may read; nobody uses the
/// entry that it names. The kernel has calls of 32-bit programs, and permits this one: else
/// the process ends.
pub(super) unsafe fn set_identity(descriptor: u32) -> i32 {
    // SAFETY: a descriptor that the kernel may read, for an entry that nobody uses, as the caller
    // promises (invariant 12).
    unsafe { omniglot_set_identity(descriptor) }
}

/// Writes PKRU.
///
/// # Safety
/// As [`rights`]; no key is closed that the host needs.
pub(super) unsafe fn set_rights(rights: u32) {
    // SAFETY: the processor has protection keys, and no key is closed that the host needs, as the
    // caller promises (invariant 17).
    unsafe { omniglot_set_rights(rights) };
}

impl Registers {
    fn clear(&self) {
        let words = [
            &self.target,
            &self.stack,
            &self.rbp,
            &self.rbx,
            &self.r12,
            &self.r13,
            &self.r14,
            &self.r15,
            &self.entry,
            &self.argument,
        ];
        words.into_iter().for_each(|word| word.store(0, Ordering::Relaxed));
        self.mxcsr.store(0, Ordering::Relaxed);
        self.x87.store(0, Ordering::Relaxed);
    }
}

impl Outcome {
    fn clear(&self) {
        self.kind.store(0, Ordering::Relaxed);
        self.signal.store(0, Ordering::Relaxed);
        let words = [&self.address, &self.instruction, &self.stack, &self.number];
        words.into_iter().for_each(|word| word.store(0, Ordering::Relaxed));
    }
}

impl GateContext {
    /// Clears what foreign code left, so that a later life learns nothing of it. What stays is the
    /// domain's, and the number of the last call, so that a late interruption has no effect.
    pub(super) fn forget(&self) {
        self.next.clear();
        self.left.clear();
        let saved = self.saved.iter().chain(self.vectors.iter().flatten());
        saved.for_each(|saved| saved.store(0, Ordering::Relaxed));
        self.is_saved.store(false, Ordering::Relaxed);
        self.outcome.clear();
        self.foreign_thread.store(0, Ordering::Relaxed);
        self.deadline.store(0, Ordering::Release);
    }

    /// Whether the call that runs must end: it was interrupted, or has no time left.
    pub(super) fn must_stop(&self) -> bool {
        self.stop.load(Ordering::Acquire) >> 1 == self.number.load(Ordering::Relaxed)
    }

    /// Whether the domain's code was verified to stay in its region.
    pub(super) fn is_sfi(&self) -> bool {
        self.region.load(Ordering::Relaxed) != 0
    }

    /// Whether an instruction is in the domain's region, or of the gate while the stack is still
    /// there, or about to be.
    pub(super) fn is_near_region(&self, place: usize) -> bool {
        let region = self.region.load(Ordering::Relaxed);
        let is_inside = (place as u64 ^ region) >> 32 == 0;
        region != 0
            && (is_inside
                || places::sfi_commit().contains(&place)
                || places::sfi_exit().contains(&place))
    }

    /// Whether the domain is behind a protection key.
    pub(super) fn is_keyed(&self) -> bool {
        self.key.load(Ordering::Relaxed) != 0
    }

    /// Writes the registers that foreign code starts with to the domain's memory, from which the
    /// gate loads them when it can no longer access the host's memory.
    pub(super) fn write_next(&self) -> bool {
        let next = &self.next;
        let registers = [
            &next.target,
            &next.stack,
            &next.rbp,
            &next.rbx,
            &next.r12,
            &next.r13,
            &next.r14,
            &next.r15,
            &next.entry,
            &next.argument,
        ];
        self.domain.write(NEXT, &registers.map(|register| register.load(Ordering::Relaxed)))
    }

    /// The same for the registers of an interrupted thread.
    pub(super) fn write_saved(&self) -> bool {
        let words = self.saved.each_ref().map(|saved| saved.load(Ordering::Relaxed));
        self.domain.write(SCRATCH, &words)
    }
}

/// The addresses of a domain's exits: for returns, and for callbacks.
pub(super) fn exits(index: usize) -> (usize, usize) {
    let offset = index * EXIT;
    (
        omniglot_return_exits as *const () as usize + offset,
        omniglot_callback_exits as *const () as usize + offset,
    )
}

/// An instruction that returns from a callback.
pub(super) fn go_on() -> usize {
    omniglot_go_on as *const () as usize
}

/// The gate's parts, by which signal handlers tell where a thread is.
pub(super) mod places {
    use std::ops::Range;

    /// A part's addresses.
    fn range(start: unsafe extern "C" fn(), end: unsafe extern "C" fn()) -> Range<usize> {
        start as *const () as usize..end as *const () as usize
    }

    /// On entry, where a thread starts again.
    pub(crate) fn commit(is_keyed: bool) -> Range<usize> {
        if is_keyed {
            range(super::omniglot_keyed_commit, super::omniglot_keyed_commit_end)
        } else {
            range(super::omniglot_commit, super::omniglot_commit_end)
        }
    }

    /// On resumption after a signal, where a thread starts again.
    pub(crate) fn resume(is_keyed: bool) -> Range<usize> {
        if is_keyed {
            range(super::omniglot_keyed_resume, super::omniglot_keyed_resume_end)
        } else {
            range(super::omniglot_resume, super::omniglot_resume_end)
        }
    }

    /// On exit, where a thread starts again: the checks have yet to pass.
    pub(crate) fn unchecked() -> Range<usize> {
        range(super::omniglot_keyed_leave, super::omniglot_keyed_checked)
    }

    /// On exit behind the last check, where a thread with the host's rights continues.
    pub(crate) fn checked() -> Range<usize> {
        range(super::omniglot_keyed_checked, super::omniglot_keyed_exit_end)
    }

    /// Where a thread continues whose foreign code is abandoned.
    pub(crate) fn abandoned(is_keyed: bool) -> usize {
        if is_keyed {
            super::omniglot_keyed_abandoned as *const () as usize
        } else {
            super::omniglot_abandoned as *const () as usize
        }
    }

    /// On the way in to verified code, where a thread starts again.
    pub(crate) fn sfi_commit() -> Range<usize> {
        range(super::omniglot_sfi_commit, super::omniglot_sfi_commit_end)
    }

    /// On the way out of it, while the stack is the domain's.
    pub(crate) fn sfi_exit() -> Range<usize> {
        range(super::omniglot_sfi_asked, super::omniglot_sfi_exit_end)
    }

    /// Where a thread goes whose verified code is given up.
    pub(crate) fn sfi_abandoned() -> usize {
        super::omniglot_sfi_abandoned as *const () as usize
    }

    /// Where signal handlers begin.
    pub(crate) fn signal() -> usize {
        super::omniglot_signal as *const () as usize
    }
}
