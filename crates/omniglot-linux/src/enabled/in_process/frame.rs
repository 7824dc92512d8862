//! What the kernel tells a signal handler about the thread that it interrupted.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicUsize, Ordering};

use libc::{c_int, siginfo_t, stack_t};

/// The offset of PKRU in the kernel's frames: CPUID leaf 0DH, sub-leaf 9.
pub(super) static RIGHTS_OFFSET: AtomicUsize = AtomicUsize::new(0);

/// The interrupted thread's registers, with which it continues, and why it was interrupted.
///
/// The gate's signal code makes one from the kernel's arguments; everything else takes that.
pub(super) struct SignalFrame<'a> {
    pub(super) signal: c_int,
    info: &'a mut siginfo_t,
    context: &'a mut KernelContext,
}

/// The handler's three arguments.
pub(super) type Arguments = (c_int, *mut siginfo_t, *mut KernelContext);

/// `struct ucontext` of asm-generic/ucontext.h, with the `struct sigcontext` of asm/sigcontext.h:
/// what the kernel puts on a stack. The C library's `ucontext_t` is longer, for functions of its
/// own; in the frame the siginfo follows the kernel's.
#[repr(C)]
pub(super) struct KernelContext {
    flags: u64,
    link: *mut KernelContext,
    stack: stack_t,
    /// In the order of the C library's `REG_R8` and so on.
    registers: [i64; 23],
    /// The extended state.
    state: *mut u8,
    reserved: [u64; 8],
    /// The kernel's 64 signals.
    mask: u64,
}

const _: () = assert!(size_of::<KernelContext>() == 304, "as long as the kernel's");

/// The bit of PKRU in a frame's list of what it holds.
const HOLDS_RIGHTS: u64 = 1 << 9;

impl SignalFrame<'_> {
    /// Takes a handler's arguments.
    ///
    /// # Safety
    /// They are those that the kernel gave to a handler with `SA_SIGINFO` (invariant 11), which
    /// does not return while this lives. Nobody else uses them meanwhile.
    pub(super) unsafe fn new((signal, info, context): Arguments) -> Self {
        // SAFETY: the kernel's, and nobody else's, as the caller promises (invariant 11).
        let info = unsafe { &mut *info };
        // SAFETY: as above (invariant 11).
        let context = unsafe { &mut *context };
        Self { signal, info, context }
    }

    /// The same arguments, for another handler.
    pub(super) fn arguments(&mut self) -> Arguments {
        (self.signal, std::ptr::from_mut(self.info), std::ptr::from_mut(self.context))
    }

    pub(super) fn register(&self, which: c_int) -> u64 {
        self.context.registers.get(which as usize).copied().unwrap_or(0).cast_unsigned()
    }

    pub(super) fn set_register(&mut self, which: c_int, value: u64) {
        if let Some(register) = self.context.registers.get_mut(which as usize) {
            *register = value.cast_signed();
        }
    }

    /// The address of the next instruction.
    pub(super) fn place(&self) -> usize {
        self.register(libc::REG_RIP) as usize
    }

    /// `si_code`: the reason.
    pub(super) const fn code(&self) -> c_int {
        self.info.si_code
    }

    /// Whether the signal was sent, rather than raised by an instruction (sigaction(2)).
    pub(super) const fn is_sent(&self) -> bool {
        self.code() <= 0
    }

    /// The address of a fault; for other signals a meaningless number.
    pub(super) fn address(&self) -> usize {
        // SAFETY: the kernel fills in all of a siginfo (invariant 11).
        unsafe { self.info.si_addr() }.addr()
    }

    /// The architecture of a dispatched system call: `si_arch` of a SIGSYS (sigaction(2)).
    pub(super) fn architecture(&self) -> u32 {
        /// In words.
        const PLACE: usize = 7;
        let words = std::ptr::from_ref(&*self.info).cast::<u32>();
        // SAFETY: a siginfo has 32 words, all of which the kernel fills in (invariant 11).
        unsafe { words.wrapping_add(PLACE).read() }
    }

    /// The signals that are blocked when the thread continues.
    pub(super) const fn mask(&self) -> u64 {
        self.context.mask
    }

    /// Whether the kernel put the frame on the alternate stack while the thread was on another one.
    /// Otherwise the frame lies below the thread's stack pointer.
    pub(super) fn switched_stacks(&self) -> bool {
        let alternate = &self.context.stack;
        let holds =
            |address: usize| address.wrapping_sub(alternate.ss_sp.addr()) < alternate.ss_size;
        let own = std::ptr::from_ref(&*self.context).addr();
        holds(own) && !holds(self.register(libc::REG_RSP) as usize)
    }

    /// PKRU of the interrupted thread; `None` if the frame has no place for it.
    pub(super) fn rights(&self) -> Option<u32> {
        let (holds, rights) = self.places_of_rights()?;
        // SAFETY: in the kernel's frame, as `places_of_rights` checked (invariant 11).
        let holds = unsafe { holds.read_unaligned() };
        // SAFETY: as above (invariant 11).
        let rights = unsafe { rights.read_unaligned() };
        Some(if holds & HOLDS_RIGHTS == 0 { 0 } else { rights })
    }

    /// Sets PKRU of the interrupted thread. Without a place for it the process must end: host code
    /// would run with a domain's rights, or foreign code with the host's.
    pub(super) fn set_rights(&mut self, rights: u32) {
        let Some((holds, place)) = self.places_of_rights() else {
            std::process::abort();
        };
        // SAFETY: in the kernel's frame, as `places_of_rights` checked (invariant 11).
        let list = unsafe { holds.read_unaligned() };
        // SAFETY: as above (invariant 11); `&mut self` keeps others out.
        unsafe { holds.write_unaligned(list | HOLDS_RIGHTS) };
        // SAFETY: as above (invariant 11).
        unsafe { place.write_unaligned(rights) };
    }

    /// PKRU in the extended state, and the list of what that holds (Intel SDM volume 1, section
    /// 13.4, and asm/sigcontext.h); `None` if the frame has no extended state.
    fn places_of_rights(&self) -> Option<(*mut u64, *mut u32)> {
        const MAGIC: u32 = 0x4650_5853;
        const SOFTWARE: usize = 464;
        const HEADER: usize = 512;
        let state = self.context.state;
        if state.is_null() {
            return None;
        }
        // SAFETY: the legacy area of the kernel's frame is 512 bytes (invariant 11).
        let magic = unsafe { state.wrapping_add(SOFTWARE).cast::<u32>().read_unaligned() };
        // SAFETY: as above (invariant 11).
        let size = unsafe { state.wrapping_add(SOFTWARE + 16).cast::<u32>().read_unaligned() };
        let offset = RIGHTS_OFFSET.load(Ordering::Relaxed);
        if magic != MAGIC || offset == 0 || offset + 4 > size as usize {
            return None;
        }
        Some((state.wrapping_add(HEADER).cast(), state.wrapping_add(offset).cast()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the kernel put what it tells a handler.
    static PLACES: [AtomicUsize; 3] = [const { AtomicUsize::new(0) }; 3];

    extern "C" fn note(_: c_int, info: *mut siginfo_t, context: *mut KernelContext) {
        // SAFETY: the kernel's context, which this handler alone uses (invariant 11).
        let state = unsafe { &*context }.state;
        for (place, found) in PLACES.iter().zip([info.addr(), context.addr(), state.addr()]) {
            place.store(found, Ordering::Relaxed);
        }
    }

    #[test]
    fn what_is_taken_of_a_frame_overlaps_nothing_in_it() {
        // SAFETY: zeros are an action (invariant 12).
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = note as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        // SAFETY: the handler writes three words (invariants 7, 12).
        unsafe { libc::sigaction(libc::SIGWINCH, &raw const action, std::ptr::null_mut()) };
        // SAFETY: sends this thread the signal (invariant 12).
        assert_eq!(unsafe { libc::raise(libc::SIGWINCH) }, 0);
        let [info, context, state] = PLACES.each_ref().map(|place| place.load(Ordering::Relaxed));
        let end = context + size_of::<KernelContext>();
        assert!(end <= info || info + size_of::<siginfo_t>() <= context, "{context:#x} {info:#x}");
        assert!(end <= state, "{context:#x} {state:#x}");
    }
}
