//! The host's own state in the processor and the kernel, which no call may change.
#![allow(unsafe_code)]

use std::arch::asm;

/// What a thread of the host finds in the processor, and its signal mask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    fs_base: u64,
    gs_base: u64,
    /// MXCSR without the flags of exceptions that happened.
    vector_control: u32,
    float_control: u16,
    /// Which x87 registers are in use: 0xffff for none.
    float_tags: u16,
    /// Whether an x87 exception waits for the next x87 instruction.
    float_pending: bool,
    /// Trap, direction, nested task, alignment check and identification flags.
    flags: u64,
    /// Which protection keys are closed to this thread.
    keys: Option<u32>,
    /// Blocked signals.
    mask: Vec<bool>,
    alternate_stack: (usize, usize),
}

const FLAGS: u64 = 0x100 | 0x400 | 0x4000 | 0x4_0000 | 0x20_0000;
const SIGNALS: i32 = 64;

impl State {
    /// What there is now.
    pub(crate) fn now() -> Self {
        let (float_control, float_status, float_tags) = floats();
        Self {
            fs_base: fs_base(),
            gs_base: gs_base(),
            vector_control: vector_control() & !0x3f,
            float_control,
            float_tags,
            float_pending: float_status & 0x80 != 0,
            flags: flags() & FLAGS,
            keys: keys(),
            mask: mask(),
            alternate_stack: alternate_stack(),
        }
    }

    /// What differs now from what it was.
    pub(crate) fn difference(&self) -> Option<String> {
        let now = Self::now();
        (*self != now).then(|| format!("the host's state was {self:x?} and is {now:x?}"))
    }
}

/// The address of the thread's own variables.
pub(crate) fn fs_base() -> u64 {
    let value: u64;
    // SAFETY: reads a register; these runtimes need FSGSBASE.
    unsafe { asm!("rdfsbase {}", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

fn gs_base() -> u64 {
    let value: u64;
    // SAFETY: as above.
    unsafe { asm!("rdgsbase {}", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

fn vector_control() -> u32 {
    let mut value = 0u32;
    // SAFETY: writes to `value`.
    unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut value, options(nostack, preserves_flags)) };
    value
}

/// The x87 control, status and tag words (SDM volume 1, section 8.1.10).
fn floats() -> (u16, u16, u16) {
    let mut environment = [0u32; 7];
    // SAFETY: writes 28 bytes to `environment`, and puts back what that changes.
    unsafe {
        asm!("fnstenv [{0}]", "fldenv [{0}]", in(reg) &raw mut environment, options(nostack, preserves_flags));
    }
    let [control, status, tags, ..] = environment;
    (control as u16, status as u16, tags as u16)
}

fn flags() -> u64 {
    let value: u64;
    // SAFETY: reads a register through the stack.
    unsafe { asm!("pushfq", "pop {}", out(reg) value, options(preserves_flags)) };
    value
}

/// PKRU, where the kernel lets programs use protection keys: bit 4 of `ecx` of leaf 7
/// (SDM volume 2, CPUID).
pub(crate) fn keys() -> Option<u32> {
    let leaf = std::arch::x86_64::__cpuid_count(7, 0);
    if leaf.ecx & 1 << 4 == 0 {
        return None;
    }
    let value: u32;
    // SAFETY: the processor has the instruction, and the kernel lets us use it.
    unsafe { asm!("rdpkru", in("ecx") 0, out("eax") value, out("edx") _, options(nomem, nostack)) };
    Some(value)
}

fn mask() -> Vec<bool> {
    // SAFETY: zeros are an empty set.
    let mut set = unsafe { std::mem::zeroed::<libc::sigset_t>() };
    // SAFETY: asks only.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut set) };
    // SAFETY: the set was filled in.
    (1..SIGNALS).map(|signal| unsafe { libc::sigismember(&raw const set, signal) } == 1).collect()
}

/// Where the alternate signal stack starts, and its size.
pub(crate) fn alternate_stack() -> (usize, usize) {
    let mut stack = libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: 0, ss_size: 0 };
    // SAFETY: asks only.
    unsafe { libc::sigaltstack(std::ptr::null(), &raw mut stack) };
    (stack.ss_sp.addr(), stack.ss_size)
}
