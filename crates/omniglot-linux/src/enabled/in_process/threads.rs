//! Threads that enter foreign code: each has an alternate signal stack, with its record above it,
//! and system calls that can be switched off.
//!
//! All alternate stacks lie in one arena, so that the signal code can find from a stack pointer
//! alone whether and where the thread has a record: FS base, and with it all thread-local
//! variables, may be a domain's at that time.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::{CStr, c_void};
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, compiler_fence,
};

use omniglot_core::{Error, Result};
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use rustix::param::page_size;

use super::alternate_stack;
use super::context::GateContext;
use super::forked;
use super::identity;
use super::kernel_signals;
use super::masks;
use super::shared_page::{SharedPage, THREADS};
use super::signals;
use super::strangers::{STRANGERS, base_of_fs};
use crate::enabled::generation;
use crate::enabled::system::{own_number, refused};

/// What a thread occupies in the arena: guard page, alternate stack, record.
pub(super) const SLOT: usize = 256 << 10;
/// The space for the record at the slot's end.
pub(super) const RECORD: usize = 256;
/// The space for a handler of ours or the host's, besides the kernel's frame.
const HANDLER_ROOM: usize = 128 << 10;

/// The arena's address, or [`NO_ARENA`]: one word, so that a thread whose alternate stack is there
/// reads all of it.
pub(super) static ARENA_START: AtomicUsize = AtomicUsize::new(NO_ARENA);
pub(super) const ARENA_SIZE: usize = THREADS * SLOT;
/// The address of no stack: it is not canonical (Intel SDM volume 1, section 3.3.7.1).
const NO_ARENA: usize = 1 << 63;

/// What signal handlers need to know of a thread, at the end of its slot.
#[repr(C, align(64))]
#[derive(Debug)]
pub(super) struct Thread {
    /// The FS base that the host's code needs.
    pub(super) pointer: usize,
    /// 1 while every system call of the thread is dispatched.
    pub(super) selector: AtomicPtr<u8>,
    /// The context of the call that the thread runs, from before the gate is entered until after it
    /// came back, also while a handler of the host runs; otherwise null.
    pub(super) context: AtomicPtr<GateContext>,
    /// How many handlers of the host's the thread is in, so far as ours called them.
    handlers: AtomicU32,
    /// In a forked child: whether it has pages of its own for what its parent's call writes.
    has_pages: AtomicBool,
    id: AtomicU32,
    /// The lowest address of the thread's ordinary stack; 0 if unknown.
    stack_end: usize,
    /// The selector of a thread without one in the shared page, or of a forked child's thread,
    /// which does not have that page.
    pub(super) byte: AtomicU8,
    index: usize,
    /// The generation of processes in which the selector is in the shared page.
    keyed: AtomicU64,
    /// The generation of processes in which the thread's system calls are dispatched.
    dispatching: AtomicU64,
    /// The generation of processes that `id` and `selector` are of.
    pub(super) generation: AtomicU64,
    /// The number that the gate tells the thread by, once it has entered a domain behind a
    /// key; not [`NOBODY`](super::shared_page::NOBODY).
    identity: AtomicU32,
    /// The life of the domain with verified code that ran last; 0 if none did.
    life: AtomicU64,
    /// The alternate stack that the host has set for the thread.
    previous: Cell<libc::stack_t>,
}

const _: () = assert!(size_of::<Thread>() <= RECORD, "the record fits its place");

const IN_HANDLER: Error = Error::Misuse("a signal handler calls foreign code");

/// A bit for each slot that is in use. There is no lock, since a forked child might find it locked;
/// slots of threads that a child does not have stay in use there.
static TAKEN: [AtomicU64; THREADS / 64] = [const { AtomicU64::new(0) }; THREADS / 64];

thread_local! {
    /// The calling thread's record, once it has one.
    static CURRENT: Cell<*const Thread> = const { Cell::new(null_mut()) };
    /// Frees the record when the thread ends.
    static LEAVING: Cell<Option<Leave>> = const { Cell::new(None) };
}

/// A thread that has a record, and with it an alternate stack, until this is dropped.
struct Leave(NonNull<Thread>);

impl Thread {
    /// A record of the calling thread, without a selector so far.
    fn of_caller(index: usize, generation: u64) -> Self {
        Self {
            pointer: own_pointer(),
            selector: AtomicPtr::new(null_mut()),
            context: AtomicPtr::new(null_mut()),
            handlers: AtomicU32::new(0),
            has_pages: AtomicBool::new(false),
            id: AtomicU32::new(own_number()),
            stack_end: stack_end(),
            byte: AtomicU8::new(0),
            index,
            keyed: AtomicU64::new(0),
            identity: AtomicU32::new(0),
            dispatching: AtomicU64::new(0),
            generation: AtomicU64::new(generation),
            life: AtomicU64::new(0),
            previous: Cell::new(alternate_stack::none()),
        }
    }

    /// The calling thread's record, for foreign code that could make system calls: they are
    /// dispatched from now on.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the kernel cannot dispatch system calls;
    /// [`Error::System`] if too many threads have entered foreign code.
    #[inline]
    pub(super) fn current(generation: u64) -> Result<&'static Self> {
        let current = CURRENT.get();
        // SAFETY: records are never unmapped while their thread runs (invariant 9), and
        // only this thread has this pointer.
        if let Some(thread) = unsafe { current.as_ref() }
            && thread.dispatching.load(Ordering::Relaxed) == generation
        {
            return Ok(thread);
        }
        Self::register(generation)?.start_dispatching(generation)
    }

    /// The calling thread's record, for foreign code that has no system calls: those of the thread
    /// stay as they are.
    ///
    /// # Errors
    /// [`Error::System`] if too many threads have entered foreign code.
    #[inline]
    pub(super) fn plain(generation: u64) -> Result<&'static Self> {
        let current = CURRENT.get();
        // SAFETY: as in `current` (invariant 9).
        if let Some(thread) = unsafe { current.as_ref() }
            && thread.generation.load(Ordering::Relaxed) == generation
        {
            return Ok(thread);
        }
        Self::register(generation)
    }

    /// Crosses into foreign code and back.
    #[inline(always)]
    pub(super) fn inside<T>(&self, context: &GateContext, cross: impl FnOnce() -> T) -> T {
        self.context.store(std::ptr::from_ref(context).cast_mut(), Ordering::Relaxed);
        // For this thread's handlers, in this order.
        compiler_fence(Ordering::SeqCst);
        let event = cross();
        compiler_fence(Ordering::SeqCst);
        self.context.store(null_mut(), Ordering::Relaxed);
        event
    }

    /// The context of the call that the thread runs, if it is in foreign code or near it. Only for
    /// this thread's handlers, during which the call does not end.
    #[inline]
    pub(super) fn running(&self) -> Option<&GateContext> {
        // SAFETY: null, or the context of a call that has not come back, which its engine
        // holds (invariant 8).
        unsafe { self.context.load(Ordering::Relaxed).as_ref() }
    }

    /// Checks that the thread is not in foreign code already, and in no signal handler. A thread runs
    /// one domain at a time, so only that one can be leaving. While a handler runs, the thread's
    /// alternate stack is disarmed: the next signal would use the foreign stack.
    ///
    /// # Errors
    /// [`Error::Misuse`] in a signal handler.
    #[inline]
    pub(super) fn check_outside(&self) -> Result<()> {
        let handlers = self.handlers.load(Ordering::Relaxed);
        if !self.context.load(Ordering::Relaxed).is_null() || handlers != 0 {
            return Err(IN_HANDLER);
        }
        Ok(())
    }

    /// Runs a handler of the host's on the calling thread, which has this record, or none that its
    /// stack pointer leads to.
    pub(super) fn in_handler(thread: Option<&Self>, handler: impl FnOnce()) {
        if generation::is_in_parents_memory() {
            return handler(); // it may never come back, and it calls no foreign code
        }
        match thread {
            Some(thread) => {
                thread.handlers.fetch_add(1, Ordering::Relaxed);
                handler();
                thread.handlers.fetch_sub(1, Ordering::Relaxed);
            }
            None => STRANGERS.in_handler(base_of_fs(), own_number(), handler),
        }
    }

    /// For a forked child of a handler, on the thread's way back into the host's part of a call:
    /// records that the memory which that part writes exists from now on.
    pub(super) fn stand_in(&self) {
        let Some(context) = self.running() else {
            return; // in no call
        };
        if self.is_copied() && !self.has_pages.swap(true, Ordering::Relaxed) {
            forked::stand_in(context);
        }
    }

    /// Prepares the calling thread's record for domains behind protection keys.
    #[inline]
    pub(super) fn admit(&self, page: SharedPage) -> Result<()> {
        if self.keyed.load(Ordering::Relaxed) == self.generation.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.move_selector(page)
    }

    /// Moves the selector from the record, which neither foreign code nor the kernel on its behalf
    /// could read.
    #[cold]
    fn move_selector(&self, page: SharedPage) -> Result<()> {
        let (seen, written) = page.selector(self.index);
        // SAFETY: a byte of the shared page that is this thread's alone (invariant 13).
        unsafe { written.write_volatile(0) };
        page.admit();
        self.identity.store(identity::give(self.index)?, Ordering::Relaxed);
        unregister_sequences()?;
        // SAFETY: a byte of the shared page, which is never unmapped (invariant 13); `admit` opened
        // its key.
        unsafe { dispatch(Some(seen)) }?;
        self.selector.store(written, Ordering::Relaxed);
        self.keyed.store(self.generation.load(Ordering::Relaxed), Ordering::Relaxed);
        Ok(())
    }

    /// The kernel's number of the thread.
    #[inline]
    pub(super) fn id(&self) -> u32 {
        self.id.load(Ordering::Relaxed)
    }

    /// Records whose verified code runs next, and returns true if that of another life ran last.
    #[inline]
    pub(super) fn begins_life(&self, life: u64) -> bool {
        let is_another = self.life.load(Ordering::Relaxed) != life;
        if is_another {
            self.life.store(life, Ordering::Relaxed);
        }
        is_another
    }

    /// The number by which the gate identifies the thread.
    #[inline]
    pub(super) fn identity(&self) -> u32 {
        self.identity.load(Ordering::Relaxed)
    }

    /// Whether the calling thread has a record: safe to ask in a signal handler.
    pub(super) fn is_known() -> bool {
        CURRENT.try_with(|current| !current.get().is_null()).unwrap_or(false)
    }

    /// Whether this is a forked child's copy of the record, which the child has not taken over.
    pub(super) fn is_copied(&self) -> bool {
        generation::check(self.generation.load(Ordering::Relaxed)).is_err()
    }

    /// Whether that much is left of the thread's ordinary stack.
    #[inline]
    pub(super) fn has_stack(&self, bytes: usize) -> bool {
        let here = std::ptr::from_ref(&bytes).addr();
        // Below its end the thread is on another stack; the difference is huge then.
        here.wrapping_sub(self.stack_end) >= bytes
    }

    #[cold]
    fn register(generation: u64) -> Result<&'static Self> {
        // SAFETY: as in `current` (invariant 9).
        if let Some(known) = unsafe { CURRENT.get().as_ref() } {
            if known.generation.load(Ordering::Relaxed) == generation {
                return Ok(known);
            }
            return known.renew(generation);
        }
        if STRANGERS.have(base_of_fs(), own_number()) {
            // The end of the handler would bring back the alternate stack that it found.
            return Err(IN_HANDLER);
        }
        signals::install()?;
        let index = take_slot()?;
        let leave = prepare(index, generation).inspect_err(|_| give_back(index))?;
        masks::unblock()?;
        // SAFETY: the thread's own record, as in `current` (invariant 9).
        let thread: &'static Self = unsafe { leave.0.as_ref() };
        kernel_signals::forbid_cancellation();
        LEAVING
            .try_with(|leaving| leaving.set(Some(leave)))
            .map_err(|_| Error::Misuse("a call into foreign code while its thread ends"))?;
        CURRENT.set(thread);
        Ok(thread)
    }

    /// Has the kernel dispatch the calling thread's system calls, which is what this is.
    #[cold]
    fn start_dispatching(&'static self, generation: u64) -> Result<&'static Self> {
        // SAFETY: a byte of the record, which stays until the thread ends (invariant 9).
        unsafe { dispatch(Some(self.byte.as_ptr())) }?;
        self.dispatching.store(generation, Ordering::Relaxed);
        Ok(self)
    }

    /// After a fork the one thread of the child has its record and alternate stack, but
    /// dispatches no system calls (prctl(2)).
    ///
    /// Must not be called in a handler that forked during a call: once it returns, the signal code
    /// must recognise that this is a copy.
    fn renew(&'static self, generation: u64) -> Result<&'static Self> {
        self.check_outside()?;
        self.selector.store(self.byte.as_ptr(), Ordering::Relaxed);
        self.id.store(own_number(), Ordering::Relaxed);
        self.has_pages.store(false, Ordering::Relaxed);
        // For this thread's handlers, which until now take the byte anyway: in this order.
        compiler_fence(Ordering::SeqCst);
        self.generation.store(generation, Ordering::Relaxed);
        Ok(self)
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        CURRENT.set(null_mut());
        // SAFETY: switches it off, which needs no selector (invariant 12).
        let _ = unsafe { dispatch(None) };
        // SAFETY: this thread's own record (invariant 9), of which no reference is left: no call is
        // in progress on a thread that ends.
        let thread = unsafe { self.0.as_ref() };
        alternate_stack::restore(&thread.previous.get());
        give_back(thread.index);
    }
}

/// Maps the arena, the first time.
fn arena() -> Result<usize> {
    let start = ARENA_START.load(Ordering::Acquire);
    if start != NO_ARENA {
        return Ok(start);
    }
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
    // SAFETY: the kernel chooses a range that nothing else uses (invariant 2).
    let raw = unsafe { mmap_anonymous(null_mut(), ARENA_SIZE + SLOT, ProtFlags::empty(), flags) }
        .map_err(refused("the alternate stacks"))?;
    let start = raw.addr().next_multiple_of(SLOT);
    match ARENA_START.compare_exchange(NO_ARENA, start, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => Ok(start),
        Err(other) => {
            // SAFETY: the range was just made, and nobody knows it (invariant 2).
            let _ = unsafe { munmap(raw, ARENA_SIZE + SLOT) };
            Ok(other)
        }
    }
}

fn take_slot() -> Result<usize> {
    for (word, taken) in TAKEN.iter().enumerate() {
        let lowest_free = |all: u64| (all != u64::MAX).then(|| all | (all + 1));
        if let Ok(before) = taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, lowest_free) {
            return Ok(word * 64 + before.trailing_ones() as usize);
        }
    }
    Err(Error::System { operation: "another thread in foreign code", errno: libc::EAGAIN })
}

fn give_back(index: usize) {
    if let Some(taken) = TAKEN.get(index / 64) {
        taken.fetch_and(!(1 << (index % 64)), Ordering::AcqRel);
    }
}

/// Gives the calling thread a record, and then the alternate stack below it: a signal in between
/// finds neither, and a later one finds both.
fn prepare(index: usize, generation: u64) -> Result<Leave> {
    let slot = arena()? + index * SLOT;
    let smallest = alternate_stack::minimal_size() + HANDLER_ROOM;
    if smallest > SLOT - RECORD - page_size() {
        return Err(Error::Unsupported {
            what: "the processor's registers do not fit the signal stacks",
            remedy: "use Isolation::Process",
        });
    }
    open_slot(slot)?;
    let place = std::ptr::with_exposed_provenance_mut::<Thread>(slot + SLOT - RECORD);
    let thread = NonNull::new(place).ok_or(Error::Protocol("a slot at address zero"))?;
    // SAFETY: the slot is this thread's alone, writable since `open_slot`, and aligned (invariant
    // 9).
    unsafe { thread.write(Thread::of_caller(index, generation)) };
    // SAFETY: just written, and never unmapped (invariant 9).
    let record = unsafe { thread.as_ref() };
    record.selector.store(record.byte.as_ptr(), Ordering::Relaxed);
    // For this thread's handlers: in this order.
    compiler_fence(Ordering::SeqCst);
    record.previous.set(alternate_stack::set(slot + page_size(), SLOT - RECORD - page_size())?);
    Ok(Leave(thread))
}

fn open_slot(slot: usize) -> Result<()> {
    let start = std::ptr::with_exposed_provenance_mut::<c_void>(slot + page_size());
    let access = MprotectFlags::READ | MprotectFlags::WRITE;
    // SAFETY: the slot is in the arena and this thread's alone (invariant 9).
    unsafe { mprotect(start, SLOT - page_size(), access) }.map_err(refused("an alternate stack"))
}

/// The thread's FS base, from its first word: ELF TLS for x86-64, variant II.
fn own_pointer() -> usize {
    let pointer: usize;
    // SAFETY: reads one word, which every thread of a libc has there (invariants 15, 17).
    unsafe {
        std::arch::asm!("mov {}, fs:0", out(reg) pointer, options(nostack, readonly, preserves_flags));
    }
    pointer
}

/// The end of the thread's stack, as far as the C library knows.
fn stack_end() -> usize {
    let mut attributes = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: asks for the calling thread (invariant 12).
    let itself = unsafe { libc::pthread_self() };
    // SAFETY: initialises the attributes, or fails (invariant 12).
    if unsafe { libc::pthread_getattr_np(itself, attributes.as_mut_ptr()) } != 0 {
        return 0;
    }
    let (mut start, mut size) = (null_mut(), 0);
    // SAFETY: initialised above (invariant 12).
    let found =
        unsafe { libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut start, &raw mut size) };
    // SAFETY: initialised above, and not used any more (invariant 12).
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    if found == 0 { start.addr() } else { 0 }
}

/// The functions that this module defines for the program.
pub(super) fn interposed() -> [(&'static CStr, *const ()); 1] {
    [(c"sigaltstack", sigaltstack as *const ())]
}

/// sigaltstack(2), for the whole program: threads that enter foreign code keep their stack, and the
/// host is told about the one that it set. Most importantly, the standard library removes a
/// thread's stack before its thread-local variables are dropped.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn sigaltstack(
    new: *const libc::stack_t,
    old: *mut libc::stack_t,
) -> libc::c_int {
    let own = CURRENT.try_with(Cell::get).unwrap_or(std::ptr::null());
    // A child in its parent's memory has that thread's record, and a stack of its own.
    let current = if generation::is_in_parents_memory() { std::ptr::null() } else { own };
    // SAFETY: as in `current` (invariant 9).
    let Some(thread) = (unsafe { current.as_ref() }) else {
        // SAFETY: what the caller promises (invariant 14).
        return unsafe { libc::syscall(libc::SYS_sigaltstack, new, old) } as libc::c_int;
    };
    let before = thread.previous.get();
    // SAFETY: null or a stack, as the caller promises (invariant 14).
    if let Some(new) = unsafe { new.as_ref() } {
        thread.previous.set(*new);
    }
    // SAFETY: null or room for a stack, as the caller promises (invariant 14).
    if let Some(old) = unsafe { old.as_mut() } {
        *old = before;
    }
    0
}

/// Syscall User Dispatch (prctl(2), Linux 5.11): with a selector on, else off.
///
/// # Safety
/// The selector is a byte that lives, and that the kernel may read with the thread's rights,
/// while dispatch is on.
unsafe fn dispatch(selector: Option<*mut u8>) -> Result<()> {
    const SET: i32 = 59;
    let on = libc::c_ulong::from(selector.is_some());
    let none: libc::c_ulong = 0;
    let selector = selector.unwrap_or(null_mut());
    // SAFETY: off, or a selector that lives and that the kernel may read while dispatch is on, as
    // the caller promises (invariant 12).
    match unsafe { libc::prctl(SET, on, none, none, selector) } {
        0 => Ok(()),
        _ => Err(Error::Unsupported {
            what: "the kernel cannot dispatch system calls to the host (Linux 5.11)",
            remedy: "use Isolation::Process",
        }),
    }
}

/// The kernel writes a thread's area for restartable sequences with the rights that the thread has
/// when it is preempted, and ends the process if that fails (rseq(2)).
fn unregister_sequences() -> Result<()> {
    const UNREGISTER: i64 = 1;
    const SIGNATURE: i64 = 0x5305_3053;
    let (Some(offset), Some(size)) =
        (symbol::<isize>(c"__rseq_offset"), symbol::<u32>(c"__rseq_size"))
    else {
        return Ok(()); // a C library that registers none
    };
    if size == 0 {
        return Ok(()); // switched off
    }
    let area = own_pointer().wrapping_add_signed(offset);
    // SAFETY: reads the auxiliary vector: AT_RSEQ_FEATURE_SIZE (invariant 15).
    let feature_size = unsafe { libc::getauxval(27) } as usize;
    // The C library tells how much of it is in use, not how much it registered.
    for size in [32, feature_size.next_multiple_of(32).max(32)] {
        // SAFETY: only takes away what the C library registered for this thread (invariants 12,
        // 15).
        let done = unsafe { libc::syscall(libc::SYS_rseq, area, size, UNREGISTER, SIGNATURE) };
        // EINVAL: another size, or not registered any more.
        if done == 0 {
            return Ok(());
        }
    }
    // SAFETY: the area is the C library's, which this thread keeps (invariant 15); its second word,
    // `cpu_id`, is negative if nothing is registered.
    let processor = unsafe { std::ptr::with_exposed_provenance::<i32>(area + 4).read_volatile() };
    if processor < 0 {
        return Ok(());
    }
    Err(Error::Unsupported {
        what: "the thread's restartable sequences cannot be unregistered",
        remedy: "set GLIBC_TUNABLES=glibc.pthread.rseq=0, or use Isolation::Process",
    })
}

/// A variable of the C library, if it has it.
fn symbol<T: Copy>(name: &CStr) -> Option<T> {
    // SAFETY: the name ends with a NUL (invariant 12).
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    // SAFETY: null, or the variable, whose type the C library documents (invariant 15).
    unsafe { address.cast::<T>().as_ref() }.copied()
}
