//! What the gate, the signal handlers and the engines share of each domain: its record
//! ([`GateContext`]), and the tables by which the gate finds that.

use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crate::enabled::layout::{NEXT, SCRATCH};

/// How many domains a process can have at once: each has a pair of exits.
pub(super) const EXITS: usize = 1024;
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
    /// The registers that the processor has to clear: [`AVX`](super::features::AVX)
    /// and so on; and [`BELIEVES`].
    pub(super) features: AtomicU32,
    /// The domain's protection key; 0 if it has none.
    pub(super) key: AtomicU32,
    /// PKRU while foreign code runs, and while the host does.
    pub(super) foreign_rights: AtomicU32,
    pub(super) host_rights: AtomicU32,
    /// Where the region starts of a domain whose code was verified to stay there; else 0.
    pub(super) region: AtomicU64,
    /// The vector registers of verified code that waits for what a system call does.
    pub(super) vectors: [[AtomicU64; 32]; 2],
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
    /// Where the server in the domain answers system calls, and its stack; 0 if there is none.
    pub(super) serve: AtomicU64,
    pub(super) serve_stack: AtomicU64,
    /// The memory that the server gives out, as offsets from the window's start.
    pub(super) pool_start: AtomicUsize,
    pub(super) pool_end: AtomicUsize,
    /// The time that clocks show, in nanoseconds since 1970, if it stands; else 0.
    pub(super) clock: AtomicU64,
    /// The last outermost call for which the server was told the time.
    pub(super) told: AtomicU64,
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
