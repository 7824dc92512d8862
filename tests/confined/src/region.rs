//! A region, and running code in it.
//!
//! All unsafe code of this program is here. It argues from these:
//!
//! - **C1** There is one region, made once by the one thread of this process, and never unmapped.
//! - **C2** What runs in it was accepted by the verifier. Should that be wrong, which is what this
//!   program looks for, anything may happen; most likely it is seen, since nearly all of the
//!   address space is unmapped, and the process ends either way.
//! - **C3** Signal handlers run on a stack of their own, and only copy numbers to [`LOG`]. Nothing
//!   else uses it while foreign code runs.
#![allow(unsafe_code)]

use std::arch::global_asm;
use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::io::{Error, Result};
use std::ptr;
use std::slice;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};

use omniglot_verify::{BASE, GUARD, REGION, TEXT_MAX, TEXT_MIN};

/// Length of the text: one page.
pub(crate) const TEXT: usize = 4096;
/// Where its data is, in bytes from the base; 64 KiB each: behind text and gates, in the middle,
/// across 2 GiB, and at the end.
const DATA: [u64; 4] = [TEXT_MIN + 0x20000, 0x4000_0000, (1 << 31) - 0x8000, TEXT_MAX - PIECE];
const PIECE: u64 = 0x10000;
/// Where its stack ends: in the middle of data, so that steps of either direction find some.
pub(crate) const STACK: u64 = 0x4000_0000 + PIECE / 2;
/// How long a canary is.
const CANARY: usize = 4096;
/// What canaries are made of.
const PATTERN: u8 = 0xa7;

/// Registers, by the numbers that instructions give them, and RIP and the flags.
pub(crate) type Registers = [u64; 18];
/// Of [`Registers`].
pub(crate) const RSP: usize = 4;
/// Of [`Registers`].
pub(crate) const RIP: usize = 16;
/// Of [`Registers`].
pub(crate) const FLAGS: usize = 17;

/// As the kernel has them, by the numbers that instructions give them.
const GREGS: [c_int; 18] = [
    libc::REG_RAX,
    libc::REG_RCX,
    libc::REG_RDX,
    libc::REG_RBX,
    libc::REG_RSP,
    libc::REG_RBP,
    libc::REG_RSI,
    libc::REG_RDI,
    libc::REG_R8,
    libc::REG_R9,
    libc::REG_R10,
    libc::REG_R11,
    libc::REG_R12,
    libc::REG_R13,
    libc::REG_R14,
    libc::REG_R15,
    libc::REG_RIP,
    libc::REG_EFL,
];

/// How a run ended, or where a step of it was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop {
    pub(crate) signal: c_int,
    pub(crate) code: c_int,
    pub(crate) address: u64,
    pub(crate) registers: Registers,
}

/// How many steps are looked at before a run is given up.
pub(crate) const STEPS: usize = 400;

/// Whether foreign code runs.
static IS_RUNNING: AtomicBool = AtomicBool::new(false);

/// The region's base.
static BASE_IS: AtomicU64 = AtomicU64::new(0);

struct Log(UnsafeCell<Vec<Stop>>);

// SAFETY: there is one thread (C1).
unsafe impl Sync for Log {}

/// What the handler saw.
static LOG: Log = Log(UnsafeCell::new(Vec::new()));

/// The region, and what is around it.
pub(crate) struct Region {
    base: u64,
    /// The text's page once more, to be written.
    text: u64,
    /// Pages of the host's in which foreign code has no business.
    canaries: Vec<u64>,
    /// A page of the host's that cannot even be read.
    closed: u64,
}

global_asm!(
    ".pushsection .text",
    // Enters foreign code with the registers at RDI, of which the last two are where, and whether
    // each instruction is to trap.
    "omniglot_confined_enter:",
    "push rbx",
    "push rbp",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "mov [rip + omniglot_confined_stack], rsp",
    "mov rax, [rdi + 128]",
    "mov [rip + omniglot_confined_target], rax",
    "pushfq",
    "mov rax, [rdi + 136]",
    "or [rsp], rax",
    "popfq",
    "mov rax, [rdi]",
    "mov rcx, [rdi + 8]",
    "mov rdx, [rdi + 16]",
    "mov rbx, [rdi + 24]",
    "mov rsp, [rdi + 32]",
    "mov rbp, [rdi + 40]",
    "mov rsi, [rdi + 48]",
    "mov r8, [rdi + 64]",
    "mov r9, [rdi + 72]",
    "mov r10, [rdi + 80]",
    "mov r11, [rdi + 88]",
    "mov r12, [rdi + 96]",
    "mov r13, [rdi + 104]",
    "mov r14, [rdi + 112]",
    "mov r15, [rdi + 120]",
    "mov rdi, [rdi + 56]",
    "jmp [rip + omniglot_confined_target]",
    // Where the handler has control go on.
    "omniglot_confined_leave:",
    "mov rsp, [rip + omniglot_confined_stack]",
    "cld",
    "fninit",
    "ldmxcsr [rip + omniglot_confined_mxcsr]",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbp",
    "pop rbx",
    "ret",
    ".popsection",
    ".pushsection .data",
    ".balign 8",
    "omniglot_confined_stack: .quad 0",
    "omniglot_confined_target: .quad 0",
    "omniglot_confined_mxcsr: .long 0x1f80",
    ".popsection",
);

unsafe extern "C" {
    safe fn omniglot_confined_leave();
    fn omniglot_confined_enter(registers: *const Registers);
}

/// Maps so much, exactly there or anywhere.
fn map(at: Option<u64>, length: u64, protection: c_int, file: Option<c_int>) -> Result<u64> {
    let kind =
        if file.is_some() { libc::MAP_SHARED } else { libc::MAP_PRIVATE | libc::MAP_ANONYMOUS };
    let fixed = if at.is_some() { libc::MAP_FIXED } else { 0 };
    let hint = ptr::with_exposed_provenance_mut(at.unwrap_or_default() as usize);
    let flags = kind | fixed | libc::MAP_NORESERVE;
    // SAFETY: what is fixed lies in what this program has reserved for the region (C1).
    let mapped =
        unsafe { libc::mmap(hint, length as usize, protection, flags, file.unwrap_or(-1), 0) };
    if mapped == libc::MAP_FAILED { Err(Error::last_os_error()) } else { Ok(mapped.addr() as u64) }
}

const READ_WRITE: c_int = libc::PROT_READ | libc::PROT_WRITE;

impl Region {
    /// Makes the region: once.
    pub(crate) fn new() -> Result<Self> {
        // A neighbour on either side, and what aligning takes.
        let reserved = map(None, 4 * REGION, libc::PROT_NONE, None)?;
        let base = reserved.next_multiple_of(REGION) + REGION;
        // SAFETY: the name is a C string.
        let file = unsafe { libc::memfd_create(c"text".as_ptr(), libc::MFD_CLOEXEC) };
        // SAFETY: it concerns a file only.
        if file < 0 || unsafe { libc::ftruncate(file, TEXT as libc::off_t) } != 0 {
            return Err(Error::last_os_error());
        }
        let text = map(None, TEXT as u64, READ_WRITE, Some(file))?;
        map(Some(base + TEXT_MIN), TEXT as u64, libc::PROT_READ | libc::PROT_EXEC, Some(file))?;
        for data in DATA {
            map(Some(base + data), PIECE, READ_WRITE, None)?;
        }
        BASE_IS.store(base, Relaxed);
        let closed = map(None, PIECE, libc::PROT_NONE, None)?;
        let mut region = Self { base, text, canaries: Vec::new(), closed };
        region.base_page(base)?;
        region.gates()?;
        region.canary(None)?;
        for neighbour in [base - REGION, base + REGION] {
            region.base_page(neighbour)?;
            region.canary(Some(neighbour + TEXT_MIN))?;
            region.canary(Some(neighbour + TEXT_MAX - CANARY as u64))?;
        }
        region.handle_signals()?;
        Ok(region)
    }

    fn base_page(&self, base: u64) -> Result<()> {
        let page = map(Some(base + u64::from(BASE)), 4096, READ_WRITE, None)?;
        write(page, &base.to_le_bytes());
        protect(page, 4096, libc::PROT_READ)
    }

    /// A page of gates, which only stop.
    fn gates(&self) -> Result<()> {
        let page = map(Some(self.base + GATES), 4096, READ_WRITE, None)?;
        write(page, &[HLT; 4096]);
        protect(page, 4096, libc::PROT_READ | libc::PROT_EXEC)
    }

    fn canary(&mut self, at: Option<u64>) -> Result<()> {
        let at = map(at, CANARY as u64, READ_WRITE, None)?;
        write(at, &[PATTERN; CANARY]);
        self.canaries.push(at);
        Ok(())
    }

    fn handle_signals(&self) -> Result<()> {
        let stack = map(None, PIECE, READ_WRITE, None)?;
        let stack = libc::stack_t {
            ss_sp: ptr::with_exposed_provenance_mut(stack as usize),
            ss_flags: 0,
            ss_size: PIECE as usize,
        };
        // SAFETY: the stack is never unmapped.
        if unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) } != 0 {
            return Err(Error::last_os_error());
        }
        let signals = [
            libc::SIGSEGV,
            libc::SIGBUS,
            libc::SIGILL,
            libc::SIGFPE,
            libc::SIGTRAP,
            libc::SIGVTALRM,
        ];
        for signal in signals {
            // SAFETY: all zeros is a value of it.
            let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
            action.sa_sigaction = handler as *const () as usize;
            // SAFETY: it writes to what the pointer is to.
            unsafe { libc::sigfillset(&raw mut action.sa_mask) };
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            // SAFETY: the handler keeps C3.
            if unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) } != 0 {
                return Err(Error::last_os_error());
            }
        }
        // SAFETY: the base of GS is nobody else's on Linux.
        if unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, self.base) } != 0 {
            return Err(Error::last_os_error());
        }
        let tick = libc::timeval { tv_sec: 0, tv_usec: 4000 };
        let timer = libc::itimerval { it_interval: tick, it_value: tick };
        // SAFETY: it reads what the pointer is to.
        if unsafe { libc::setitimer(libc::ITIMER_VIRTUAL, &raw const timer, ptr::null_mut()) } != 0
        {
            return Err(Error::last_os_error());
        }
        // SAFETY: no foreign code runs (C3).
        let log = unsafe { &mut *LOG.0.get() };
        log.reserve(STEPS + 8);
        Ok(())
    }

    /// The region's base.
    pub(crate) const fn base(&self) -> u64 {
        self.base
    }

    /// Addresses of the host's that would be worth a visit: in canaries and in a closed page.
    pub(crate) fn forbidden(&self) -> impl Iterator<Item = u64> {
        let middle = self.canaries.iter().map(|canary| canary + CANARY as u64 / 2);
        middle.chain([self.closed + PIECE / 2])
    }

    /// Places in the region where there is data, from its base.
    pub(crate) fn data() -> [u64; 4] {
        DATA.map(|data| data + PIECE / 2)
    }

    /// Puts a text in its place.
    pub(crate) fn put(&mut self, text: &[u8; TEXT]) {
        write(self.text, text);
    }

    /// Runs the text from a place, with these registers, until it stops; with `steps`, one
    /// instruction after the other, all of which are told, at most [`STEPS`].
    pub(crate) fn run(&mut self, registers: &Registers, start: u64, steps: bool) -> &[Stop] {
        const TRAP: u64 = 0x100;
        let mut registers = *registers;
        registers[RIP] = self.base + TEXT_MIN + start;
        registers[FLAGS] = if steps { TRAP } else { 0 };
        // SAFETY: no foreign code runs (C3).
        unsafe { &mut *LOG.0.get() }.clear();
        IS_RUNNING.store(true, Relaxed);
        // SAFETY: what is there was accepted (C2); all registers that the host expects back are
        // given back, in whatever way it stops.
        unsafe { omniglot_confined_enter(&raw const registers) };
        IS_RUNNING.store(false, Relaxed);
        // SAFETY: no foreign code runs (C3), and none will while this is borrowed.
        unsafe { &*LOG.0.get() }
    }

    /// The first canary that is not as it was made, by its address.
    pub(crate) fn broken(&self) -> Option<u64> {
        let canaries = self.canaries.iter();
        let mut broken = canaries.filter(|canary| {
            let at = ptr::with_exposed_provenance(**canary as usize);
            // SAFETY: it is mapped for good, and no foreign code runs.
            let bytes: &[u8] = unsafe { slice::from_raw_parts(at, CANARY) };
            bytes.as_chunks::<16>().0.iter().any(|word| *word != [PATTERN; 16])
        });
        broken.next().copied()
    }

    /// Whether the base of `%gs:`, and the number that code adds, are as they were.
    pub(crate) fn has_its_base(&self) -> bool {
        let mut found = 0_u64;
        // SAFETY: it writes the number only.
        let answer = unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_GET_GS, &raw mut found) };
        let place = ptr::with_exposed_provenance::<u64>((self.base + u64::from(BASE)) as usize);
        // SAFETY: the page is mapped for good, and aligned.
        let number = unsafe { place.read_volatile() };
        answer == 0 && found == self.base && number == self.base
    }
}

/// Of `arch_prctl` (asm/prctl.h).
const ARCH_SET_GS: c_int = 0x1001;
const ARCH_GET_GS: c_int = 0x1004;
/// Where the gates are: not beside the text, and within reach.
pub(crate) const GATES: u64 = TEXT_MIN + GUARD;
const HLT: u8 = 0xf4;

fn write(at: u64, bytes: &[u8]) {
    let at = ptr::with_exposed_provenance_mut(at as usize);
    // SAFETY: callers give places that they mapped writable, and that are as long.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), at, bytes.len()) };
}

fn protect(at: u64, length: usize, protection: c_int) -> Result<()> {
    let at = ptr::with_exposed_provenance_mut(at as usize);
    // SAFETY: callers give places that they mapped.
    if unsafe { libc::mprotect(at, length, protection) } == 0 {
        Ok(())
    } else {
        Err(Error::last_os_error())
    }
}

/// Notes where foreign code is, and has it go on only if that was a step.
extern "C" fn handler(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel gives both.
    let info = unsafe { &*info };
    // SAFETY: as before.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    let gregs = &mut context.uc_mcontext.gregs;
    let registers = GREGS.map(|register| gregs[register as usize].cast_unsigned());
    // SAFETY: a fault's information has an address.
    let address = unsafe { info.si_addr() }.addr() as u64;
    // SAFETY: this is the one that uses it while foreign code runs (C3); it was given room.
    let log = unsafe { &mut *LOG.0.get() };
    let is_entering = is_on_the_way_in(registers[RIP]);
    if signal == libc::SIGVTALRM && registers[RIP] >> 32 != BASE_IS.load(Relaxed) >> 32 {
        // Time passed in the host.
        return;
    }
    if !IS_RUNNING.load(Relaxed) || is_entering {
        match signal {
            // Step by step on the way in.
            libc::SIGTRAP => return,
            // A fault of this program itself.
            // SAFETY: it ends the process, and does nothing else.
            _ => unsafe { libc::_exit(99) },
        }
    }
    log.push(Stop { signal, code: info.si_code, address, registers });
    let goes_on = signal == libc::SIGTRAP && log.len() < STEPS;
    if !goes_on {
        const TRAP: i64 = 0x100;
        gregs[libc::REG_EFL as usize] &= !TRAP;
        gregs[libc::REG_RIP as usize] = (omniglot_confined_leave as *const () as usize) as i64;
    }
}

/// Whether foreign code is about to be entered there.
fn is_on_the_way_in(address: u64) -> bool {
    let from = omniglot_confined_enter as *const () as u64;
    let to = omniglot_confined_leave as *const () as u64;
    (from..to).contains(&address)
}
