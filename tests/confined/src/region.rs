//! A region, and running code in it.
//!
//! All unsafe code of this program is here. It argues from these invariants:
//!
//! - **C1** There is one region, made once by the one thread of this process, and never unmapped.
//! - **C2** The verifier accepted the code that runs in it. If the verifier was wrong, which is
//!   what this program looks for, anything may happen. Most likely that is noticed, since nearly
//!   all of the address space is unmapped, and the process ends in any case.
//! - **C3** Signal handlers run on their own stack, and only copy numbers to [`LOG`]. Nothing else
//!   uses it while foreign code runs.
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
/// Offsets of its data from the base, 64 KiB each: after text and gates, in the middle, across 2
/// GiB, and at the end.
const DATA: [u64; 4] = [TEXT_MIN + 0x20000, 0x4000_0000, (1 << 31) - 0x8000, TEXT_MAX - PIECE];
const PIECE: u64 = 0x10000;
/// The end of its stack: in the middle of data, so that steps in either direction find data.
pub(crate) const STACK: u64 = 0x4000_0000 + PIECE / 2;
/// Size of a canary in bytes.
const CANARY: usize = 4096;
/// The byte that canaries consist of.
const PATTERN: u8 = 0xa7;

/// The registers by their numbers in instructions, followed by RIP and the flags.
pub(crate) type Registers = [u64; 18];
/// The index of RSP in [`Registers`].
pub(crate) const RSP: usize = 4;
/// The index of RIP in [`Registers`].
pub(crate) const RIP: usize = 16;
/// The index of the flags in [`Registers`].
pub(crate) const FLAGS: usize = 17;

/// The kernel's index of each of [`Registers`].
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

/// The state at the end of a run, or before one of its steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop {
    pub(crate) signal: c_int,
    pub(crate) code: c_int,
    pub(crate) address: u64,
    pub(crate) registers: Registers,
}

/// The largest number of steps that are observed before a run is stopped.
pub(crate) const STEPS: usize = 400;

/// True while foreign code runs.
static IS_RUNNING: AtomicBool = AtomicBool::new(false);

/// The region's base.
static BASE_IS: AtomicU64 = AtomicU64::new(0);

struct Log(UnsafeCell<Vec<Stop>>);

// SAFETY: there is one thread (C1).
unsafe impl Sync for Log {}

/// What the handler has observed.
static LOG: Log = Log(UnsafeCell::new(Vec::new()));

/// The region and its surroundings.
pub(crate) struct Region {
    base: u64,
    /// The address of a second, writable mapping of the text's page.
    text: u64,
    /// Pages of the host that foreign code must not access.
    canaries: Vec<u64>,
    /// A page of the host that is not even readable.
    closed: u64,
}

global_asm!(
    ".pushsection .text",
    // Enters foreign code with the registers at RDI. The last two of these are the address, and
    // whether each instruction is to trap.
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
    // The handler makes control continue here.
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

/// Maps memory, at a fixed address or anywhere.
fn map(at: Option<u64>, length: u64, protection: c_int, file: Option<c_int>) -> Result<u64> {
    let kind =
        if file.is_some() { libc::MAP_SHARED } else { libc::MAP_PRIVATE | libc::MAP_ANONYMOUS };
    let fixed = if at.is_some() { libc::MAP_FIXED } else { 0 };
    let hint = ptr::with_exposed_provenance_mut(at.unwrap_or_default() as usize);
    let flags = kind | fixed | libc::MAP_NORESERVE;
    // SAFETY: a fixed address is in what this program has reserved for the region (C1).
    let mapped =
        unsafe { libc::mmap(hint, length as usize, protection, flags, file.unwrap_or(-1), 0) };
    if mapped == libc::MAP_FAILED { Err(Error::last_os_error()) } else { Ok(mapped.addr() as u64) }
}

const READ_WRITE: c_int = libc::PROT_READ | libc::PROT_WRITE;

impl Region {
    /// Makes the region. It is called once.
    pub(crate) fn new() -> Result<Self> {
        // Room for a neighbour on either side, and for alignment.
        let reserved = map(None, 4 * REGION, libc::PROT_NONE, None)?;
        let base = reserved.next_multiple_of(REGION) + REGION;
        // SAFETY: the name is a C string.
        let file = unsafe { libc::memfd_create(c"text".as_ptr(), libc::MFD_CLOEXEC) };
        // SAFETY: this affects a file only.
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

    /// Maps a page of gates, each of which only stops.
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
            // SAFETY: all zeros are valid for this type.
            let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
            action.sa_sigaction = handler as *const () as usize;
            // SAFETY: this writes to the set only.
            unsafe { libc::sigfillset(&raw mut action.sa_mask) };
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            // SAFETY: the handler keeps to C3.
            if unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) } != 0 {
                return Err(Error::last_os_error());
            }
        }
        // SAFETY: on Linux nothing else uses the GS base.
        if unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, self.base) } != 0 {
            return Err(Error::last_os_error());
        }
        let tick = libc::timeval { tv_sec: 0, tv_usec: 4000 };
        let timer = libc::itimerval { it_interval: tick, it_value: tick };
        // SAFETY: this reads the timer's settings only.
        if unsafe { libc::setitimer(libc::ITIMER_VIRTUAL, &raw const timer, ptr::null_mut()) } != 0
        {
            return Err(Error::last_os_error());
        }
        // SAFETY: no foreign code runs (C3).
        let log = unsafe { &mut *LOG.0.get() };
        log.reserve(STEPS + 8);
        Ok(())
    }

    /// Returns the region's base.
    pub(crate) const fn base(&self) -> u64 {
        self.base
    }

    /// Returns addresses in the host that must not be accessed: in canaries and in an unreadable
    /// page.
    pub(crate) fn forbidden(&self) -> impl Iterator<Item = u64> {
        let middle = self.canaries.iter().map(|canary| canary + CANARY as u64 / 2);
        middle.chain([self.closed + PIECE / 2])
    }

    /// Returns the offsets of data in the region.
    pub(crate) fn data() -> [u64; 4] {
        DATA.map(|data| data + PIECE / 2)
    }

    /// Writes a text to its place.
    pub(crate) fn put(&mut self, text: &[u8; TEXT]) {
        write(self.text, text);
    }

    /// Runs the text from a place with these registers, until it stops. With `steps`, it runs
    /// instruction by instruction, and returns the state before each, at most [`STEPS`].
    pub(crate) fn run(&mut self, registers: &Registers, start: u64, steps: bool) -> &[Stop] {
        const TRAP: u64 = 0x100;
        let mut registers = *registers;
        registers[RIP] = self.base + TEXT_MIN + start;
        registers[FLAGS] = if steps { TRAP } else { 0 };
        // SAFETY: no foreign code runs (C3).
        unsafe { &mut *LOG.0.get() }.clear();
        IS_RUNNING.store(true, Relaxed);
        // SAFETY: the verifier accepted the code (C2). All registers that the host needs are
        // restored, however it stops.
        unsafe { omniglot_confined_enter(&raw const registers) };
        IS_RUNNING.store(false, Relaxed);
        // SAFETY: no foreign code runs (C3), and none will while this is borrowed.
        unsafe { &*LOG.0.get() }
    }

    /// Returns the address of the first canary that was changed, if any.
    pub(crate) fn broken(&self) -> Option<u64> {
        let canaries = self.canaries.iter();
        let mut broken = canaries.filter(|canary| {
            let at = ptr::with_exposed_provenance(**canary as usize);
            // SAFETY: the page is never unmapped, and no foreign code runs.
            let bytes: &[u8] = unsafe { slice::from_raw_parts(at, CANARY) };
            bytes.as_chunks::<16>().0.iter().any(|word| *word != [PATTERN; 16])
        });
        broken.next().copied()
    }

    /// Returns true if the base of `%gs:`, and the number in the base page, are unchanged.
    pub(crate) fn has_its_base(&self) -> bool {
        let mut found = 0_u64;
        // SAFETY: this writes the number only.
        let answer = unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_GET_GS, &raw mut found) };
        let place = ptr::with_exposed_provenance::<u64>((self.base + u64::from(BASE)) as usize);
        // SAFETY: the page is never unmapped, and the address is aligned.
        let number = unsafe { place.read_volatile() };
        answer == 0 && found == self.base && number == self.base
    }
}

/// Code for `arch_prctl` (asm/prctl.h).
const ARCH_SET_GS: c_int = 0x1001;
const ARCH_GET_GS: c_int = 0x1004;
/// The offset of the gates: not next to the text, but within reach of its branches.
pub(crate) const GATES: u64 = TEXT_MIN + GUARD;
const HLT: u8 = 0xf4;

fn write(at: u64, bytes: &[u8]) {
    let at = ptr::with_exposed_provenance_mut(at as usize);
    // SAFETY: callers pass places that they mapped writable, and that are long enough.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), at, bytes.len()) };
}

fn protect(at: u64, length: usize, protection: c_int) -> Result<()> {
    let at = ptr::with_exposed_provenance_mut(at as usize);
    // SAFETY: callers pass places that they mapped.
    if unsafe { libc::mprotect(at, length, protection) } == 0 {
        Ok(())
    } else {
        Err(Error::last_os_error())
    }
}

/// Records the state of foreign code. Lets it continue only if this was a step.
extern "C" fn handler(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes valid pointers to both.
    let info = unsafe { &*info };
    // SAFETY: the kernel passes valid pointers to both.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    let gregs = &mut context.uc_mcontext.gregs;
    let registers = GREGS.map(|register| gregs[register as usize].cast_unsigned());
    // SAFETY: a fault's information has an address.
    let address = unsafe { info.si_addr() }.addr() as u64;
    // SAFETY: only this handler uses it while foreign code runs (C3). Room was reserved before.
    let log = unsafe { &mut *LOG.0.get() };
    let is_entering = is_on_the_way_in(registers[RIP]);
    if signal == libc::SIGVTALRM && registers[RIP] >> 32 != BASE_IS.load(Relaxed) >> 32 {
        // The timer expired in the host.
        return;
    }
    if !IS_RUNNING.load(Relaxed) || is_entering {
        match signal {
            // A step on the way into foreign code.
            libc::SIGTRAP => return,
            // A fault of this program itself.
            // SAFETY: this only ends the process.
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

/// Returns true if this is the code that enters foreign code.
fn is_on_the_way_in(address: u64) -> bool {
    let from = omniglot_confined_enter as *const () as u64;
    let to = omniglot_confined_leave as *const () as u64;
    (from..to).contains(&address)
}
