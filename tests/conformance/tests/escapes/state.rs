//! The host's own state in the processor and the kernel, which no call may change.
#![allow(unsafe_code)]

use std::arch::asm;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::LazyLock;

/// The processor state of a thread of the host, and its signal mask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State(Vec<(&'static str, u64)>);

/// The trap, direction, nested task and alignment check flags.
pub(crate) const FLAGS: u64 = 0x100 | 0x400 | 0x4000 | 0x4_0000;
/// The flags in MXCSR for exceptions that have occurred.
pub(crate) const HAPPENED: u32 = 0x3f;
/// The bit of the x87 status word for a pending unmasked exception.
const PENDING: u16 = 0x80;

impl State {
    /// Returns the current state.
    pub(crate) fn now() -> Self {
        let (float_control, float_status, float_tags) = floats();
        let (stack, stack_size) = alternate_stack();
        Self(vec![
            ("FS base", fs_base()),
            ("GS base", own_gs_base()),
            ("MXCSR", u64::from(vector_control() & !HAPPENED)),
            ("x87 control word", u64::from(float_control)),
            ("x87 tag word", u64::from(float_tags)),
            ("x87 status word", u64::from(float_status & PENDING)),
            ("flags", flags() & FLAGS),
            ("PKRU", keys().map_or(0, u64::from)),
            ("signal mask", mask()),
            ("alternate stack", stack as u64),
            ("alternate stack's size", stack_size as u64),
        ])
    }

    /// Describes what has changed, or returns `None`.
    pub(crate) fn difference(&self) -> Option<String> {
        let now = Self::now();
        let pairs = self.0.iter().zip(&now.0).filter(|(one, other)| one != other);
        let texts: Vec<_> = pairs
            .map(|((name, was), (_, is))| format!("{name} was {was:#x} and is {is:#x}"))
            .collect();
        (!texts.is_empty()).then(|| format!("the host's {}", texts.join(", ")))
    }
}

/// Returns a word of the host's own memory. The kernel reads it, so an address without memory fails
/// the test instead of the process (proc_pid_mem(5)).
#[allow(clippy::unwrap_used, reason = "a test of memory that is not there is wrong")]
pub(crate) fn word_at(address: usize) -> u64 {
    let mut word = [0; size_of::<u64>()];
    let memory = File::open("/proc/self/mem").unwrap();
    memory.read_exact_at(&mut word, address as u64).unwrap();
    u64::from_ne_bytes(word)
}

/// Returns the FS base, through which the thread's own variables are accessed.
pub(crate) fn fs_base() -> u64 {
    let value: u64;
    // SAFETY: this reads a register; these runtimes need FSGSBASE.
    unsafe { asm!("rdfsbase {}", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

pub(crate) fn gs_base() -> u64 {
    let value: u64;
    // SAFETY: this reads a register; these runtimes need FSGSBASE.
    unsafe { asm!("rdgsbase {}", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

/// The GS base, or 0 where it is that of a region: verified code leaves it where the host had none.
fn own_gs_base() -> u64 {
    const REGION: u64 = 1 << 32;
    let base = gs_base();
    if base.is_multiple_of(REGION) { 0 } else { base }
}

/// Sets the GS base, which none of our programs uses.
pub(crate) fn set_gs_base(value: u64) {
    // SAFETY: nothing is accessed through GS on x86-64 Linux; these runtimes need FSGSBASE.
    unsafe { asm!("wrgsbase {}", in(reg) value, options(nomem, nostack, preserves_flags)) };
}

/// Returns the x87 control word: rounding and masked exceptions.
pub(crate) fn float_control() -> u16 {
    floats().0
}

/// Sets the x87 control word, as a host does that needs another rounding mode.
pub(crate) fn set_float_control(value: u16) {
    // SAFETY: this reads `value`. It changes how x87 instructions round; none are executed before
    // the caller restores it.
    unsafe { asm!("fldcw [{}]", in(reg) &raw const value, options(readonly, nostack)) };
}

pub(crate) fn vector_control() -> u32 {
    let mut value = 0u32;
    // SAFETY: this writes to `value`.
    unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut value, options(nostack, preserves_flags)) };
    value
}

/// Returns the x87 control, status and tag words (SDM volume 1, section 8.1.10).
fn floats() -> (u16, u16, u16) {
    let mut environment = [0u32; 7];
    // SAFETY: this writes 28 bytes to `environment`, and restores what it changes.
    unsafe {
        asm!("fnstenv [{0}]", "fldenv [{0}]", in(reg) &raw mut environment, options(nostack, preserves_flags));
    }
    let [control, status, tags, ..] = environment;
    (control as u16, status as u16, tags as u16)
}

pub(crate) fn flags() -> u64 {
    let value: u64;
    // SAFETY: this reads a register through the stack.
    unsafe { asm!("pushfq", "pop {}", out(reg) value, options(preserves_flags)) };
    value
}

/// Returns PKRU, or `None` if the kernel does not enable protection keys.
pub(crate) fn keys() -> Option<u32> {
    if !*HAS_KEYS {
        return None;
    }
    let value: u32;
    // SAFETY: the processor has the instruction, and the kernel has enabled it.
    unsafe { asm!("rdpkru", in("ecx") 0, out("eax") value, out("edx") _, options(nomem, nostack)) };
    Some(value)
}

/// Bit 4 of `ecx` of CPUID leaf 7 (SDM volume 2). CPUID is slow in a virtual machine.
static HAS_KEYS: LazyLock<bool> =
    LazyLock::new(|| std::arch::x86_64::__cpuid_count(7, 0).ecx & 1 << 4 != 0);

/// Returns the blocked signals as bits.
fn mask() -> u64 {
    // SAFETY: all zeros are an empty set.
    let mut set = unsafe { std::mem::zeroed::<libc::sigset_t>() };
    // SAFETY: this only queries.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut set) };
    // SAFETY: the set was filled in.
    let is_blocked = |signal| unsafe { libc::sigismember(&raw const set, signal) } == 1;
    (1..64).filter(|signal| is_blocked(*signal)).fold(0, |bits, signal| bits | 1 << signal)
}

/// Returns the address and size of the alternate signal stack that the kernel uses.
pub(crate) fn alternate_stack() -> (usize, usize) {
    let mut stack = libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: 0, ss_size: 0 };
    let nothing = std::ptr::null::<libc::stack_t>();
    // SAFETY: this only queries.
    unsafe { libc::syscall(libc::SYS_sigaltstack, nothing, &raw mut stack) };
    (stack.ss_sp.addr(), stack.ss_size)
}

/// The secret that [`fill_registers`] leaves in registers.
static SECRET: u64 = 0x5ec2_e75e_c2e7_5ec2;

/// Leaves a secret in all vector registers, and in the x87 registers that are empty.
pub(crate) fn fill_registers(wide: bool) {
    // SAFETY: this changes declared registers only, and pops what it pushes.
    unsafe {
        asm!(
            "movq mm0, [{0}]", "movq mm1, mm0", "movq mm2, mm0", "movq mm3, mm0",
            "movq mm4, mm0", "movq mm5, mm0", "movq mm6, mm0", "movq mm7, mm0", "emms",
            "movq xmm0, [{0}]", "punpcklqdq xmm0, xmm0",
            "movaps xmm1, xmm0", "movaps xmm2, xmm0", "movaps xmm3, xmm0", "movaps xmm4, xmm0",
            "movaps xmm5, xmm0", "movaps xmm6, xmm0", "movaps xmm7, xmm0", "movaps xmm8, xmm0",
            "movaps xmm9, xmm0", "movaps xmm10, xmm0", "movaps xmm11, xmm0", "movaps xmm12, xmm0",
            "movaps xmm13, xmm0", "movaps xmm14, xmm0", "movaps xmm15, xmm0",
            in(reg) &raw const SECRET,
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _,
            out("xmm5") _, out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _,
            out("xmm10") _, out("xmm11") _, out("xmm12") _, out("xmm13") _, out("xmm14") _,
            out("xmm15") _, out("mm0") _, out("mm1") _, out("mm2") _, out("mm3") _,
            out("mm4") _, out("mm5") _, out("mm6") _, out("mm7") _,
        );
    }
    if wide {
        // SAFETY: the caller has checked that the registers exist.
        unsafe { fill_wide() };
    }
}

/// Fills the upper halves too.
#[target_feature(enable = "avx")]
fn fill_wide() {
    // SAFETY: this changes declared registers only.
    unsafe {
        asm!(
            "vbroadcastsd ymm15, [{0}]",
            "vmovaps ymm8, ymm15", "vmovaps ymm9, ymm15", "vmovaps ymm10, ymm15",
            "vmovaps ymm11, ymm15", "vmovaps ymm12, ymm15", "vmovaps ymm13, ymm15",
            "vmovaps ymm14, ymm15",
            in(reg) &raw const SECRET,
            out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _, out("xmm12") _,
            out("xmm13") _, out("xmm14") _, out("xmm15") _,
        );
    }
}

/// Returns true if the bytes contain the secret, or half of it.
pub(crate) fn holds_secret(bytes: &[u8]) -> bool {
    let secret = SECRET.to_ne_bytes();
    bytes.windows(4).any(|window| secret.windows(4).any(|part| part == window))
}
