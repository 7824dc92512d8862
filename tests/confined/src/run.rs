//! Running code in the region, and observing how it stops.
//!
//! This module and [`region`](crate::region) have all unsafe code of this program. They argue from
//! these invariants:
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
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

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

/// The signal of a [`Stop`] that is none: the code left through the gate.
pub(crate) const LEFT: c_int = 0;

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

/// The time between two ticks of the clock that ends endless loops.
const TICK_NANOSECONDS: i64 = 100_000;
/// The tick at which a run is ended. The first one comes at any time, and the second one directly
/// after it, if this process has waited for a processor: both say nothing about the run.
const LAST_TICK: u64 = 3;
/// The same for a run in single steps, which their number ends, unless there are no steps.
const LAST_TICK_OF_STEPS: u64 = 10_000;
/// The trap flag.
const TRAP: u64 = 0x100;
/// A bit of the flags that is always set.
const ALWAYS: u64 = 2;

/// Ticks that are left for the code that runs. 0 if none runs.
static TICKS: AtomicU64 = AtomicU64::new(0);

/// The region's base.
static BASE_IS: AtomicU64 = AtomicU64::new(0);

/// The number of the session's run, for the message if the program itself faults.
static SESSION_RUN: AtomicU64 = AtomicU64::new(0);

struct Log(UnsafeCell<Vec<Stop>>);

// SAFETY: there is one thread (C1).
unsafe impl Sync for Log {}

/// What the handler has observed.
static LOG: Log = Log(UnsafeCell::new(Vec::new()));

global_asm!(
    ".pushsection .text",
    // Enters foreign code with the registers at RDI, and returns 1 if it leaves through the gate,
    // or 0 if a signal stops it. IRET sets RSP, the flags and RIP at once, so that the first trap
    // is behind the first instruction. It also serialises, which is needed after the text was
    // written at another address ("Self-Modifying Code" in Intel's and AMD's manuals).
    ".globl omniglot_confined_enter",
    "omniglot_confined_enter:",
    "push rbx",
    "push rbp",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "push rdi",
    "mov [rip + omniglot_confined_stack], rsp",
    "mov eax, ss",
    "push rax",
    "push [rdi + 32]",
    "push [rdi + 136]",
    "mov eax, cs",
    "push rax",
    "push [rdi + 128]",
    "mov rax, [rdi]",
    "mov rcx, [rdi + 8]",
    "mov rdx, [rdi + 16]",
    "mov rbx, [rdi + 24]",
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
    "iretq",
    // The gate leads here. Stores the registers where they came from.
    ".globl omniglot_confined_left",
    "omniglot_confined_left:",
    "mov [rip + omniglot_confined_rsp], rsp",
    "mov [rip + omniglot_confined_rdi], rdi",
    "mov rsp, [rip + omniglot_confined_stack]",
    "mov rdi, [rsp]",
    "mov [rdi], rax",
    "mov [rdi + 8], rcx",
    "mov [rdi + 16], rdx",
    "mov [rdi + 24], rbx",
    "mov [rdi + 40], rbp",
    "mov [rdi + 48], rsi",
    "mov [rdi + 64], r8",
    "mov [rdi + 72], r9",
    "mov [rdi + 80], r10",
    "mov [rdi + 88], r11",
    "mov [rdi + 96], r12",
    "mov [rdi + 104], r13",
    "mov [rdi + 112], r14",
    "mov [rdi + 120], r15",
    "pushfq",
    "pop [rdi + 136]",
    "push 2",
    "popfq",
    "mov rax, [rip + omniglot_confined_rsp]",
    "mov [rdi + 32], rax",
    "mov rax, [rip + omniglot_confined_rdi]",
    "mov [rdi + 56], rax",
    "mov eax, 1",
    "jmp 2f",
    // The handler makes control continue here.
    ".globl omniglot_confined_leave",
    "omniglot_confined_leave:",
    "mov rsp, [rip + omniglot_confined_stack]",
    "xor eax, eax",
    "2:",
    "cld",
    "fninit",
    "ldmxcsr [rip + omniglot_confined_mxcsr]",
    "pop rdi",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbp",
    "pop rbx",
    "ret",
    ".globl omniglot_confined_end",
    "omniglot_confined_end:",
    ".popsection",
    ".pushsection .data",
    ".balign 8",
    "omniglot_confined_stack: .quad 0",
    "omniglot_confined_rsp: .quad 0",
    "omniglot_confined_rdi: .quad 0",
    "omniglot_confined_mxcsr: .long 0x1f80",
    ".popsection",
);

unsafe extern "C" {
    safe fn omniglot_confined_left();
    safe fn omniglot_confined_leave();
    safe fn omniglot_confined_end();
    fn omniglot_confined_enter(registers: *mut Registers) -> u64;
}

/// The address in the host to which the gate leads.
pub(crate) fn exit() -> u64 {
    omniglot_confined_left as *const () as u64
}

/// Notes the number of the session's run, for the message if the program itself faults.
pub(crate) fn note_session_run(run: u64) {
    SESSION_RUN.store(run, Relaxed);
}

/// Installs the signal handlers, and starts the clock, for the region at `base`. `stack`, of `size`
/// bytes, is for the handlers alone.
pub(crate) fn handle_signals(base: u64, stack: u64, size: usize) -> Result<()> {
    BASE_IS.store(base, Relaxed);
    let stack = libc::stack_t {
        ss_sp: ptr::with_exposed_provenance_mut(stack as usize),
        ss_flags: 0,
        ss_size: size,
    };
    // SAFETY: the stack is never unmapped.
    if unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) } != 0 {
        return Err(Error::last_os_error());
    }
    for signal in
        [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP, libc::SIGALRM]
    {
        // SAFETY: all zeros are valid for this type.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = handler as *const () as usize;
        // SAFETY: this writes to the set only.
        unsafe { libc::sigfillset(&raw mut action.sa_mask) };
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        // SAFETY: the handler keeps to C3.
        if unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) } != 0 {
            return Err(Error::last_os_error());
        }
    }
    // SAFETY: no foreign code runs (C3).
    let log = unsafe { &mut *LOG.0.get() };
    log.reserve(STEPS + 8);
    start_clock()
}

/// Starts the clock that ends endless loops: SIGALRM at each tick. Clocks of processor time are too
/// coarse, since the kernel looks at them every few milliseconds only.
fn start_clock() -> Result<()> {
    let mut timer: libc::timer_t = ptr::null_mut();
    // SAFETY: this writes the timer's identity only. Without an event it sends SIGALRM.
    let made =
        unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, ptr::null_mut(), &raw mut timer) };
    if made != 0 {
        return Err(Error::last_os_error());
    }
    let tick = libc::timespec { tv_sec: 0, tv_nsec: TICK_NANOSECONDS };
    let times = libc::itimerspec { it_interval: tick, it_value: tick };
    // SAFETY: the timer was just made, and this reads the times only.
    if unsafe { libc::timer_settime(timer, 0, &raw const times, ptr::null_mut()) } != 0 {
        return Err(Error::last_os_error());
    }
    Ok(())
}

/// Runs code from the place in RIP until it stops, and returns the state at the end. With `steps`,
/// it runs instruction by instruction, and the state before each is returned too, at most
/// [`STEPS`].
///
/// It takes the region mutably: it must not be run by anything else meanwhile.
pub(crate) fn run<'a>(
    _region: &'a mut crate::region::Region,
    registers: &Registers,
    gate: u64,
    steps: bool,
) -> &'a [Stop] {
    let mut registers = *registers;
    registers[FLAGS] = ALWAYS | if steps { TRAP } else { 0 };
    // SAFETY: no foreign code runs (C3).
    let log = unsafe { &mut *LOG.0.get() };
    log.clear();
    if steps {
        log.push(Stop { signal: libc::SIGTRAP, code: 0, address: 0, registers });
    }
    TICKS.store(if steps { LAST_TICK_OF_STEPS } else { LAST_TICK }, Relaxed);
    // SAFETY: the verifier accepted the code (C2). All registers that the host needs are restored,
    // however it stops.
    let has_left = unsafe { omniglot_confined_enter(&raw mut registers) } != 0;
    TICKS.store(0, Relaxed);
    // SAFETY: no foreign code runs (C3).
    let log = unsafe { &mut *LOG.0.get() };
    if has_left {
        registers[RIP] = gate;
        log.push(Stop { signal: LEFT, code: 0, address: 0, registers });
    }
    log
}

/// Records the state of foreign code. Lets it continue only if this was a step or a tick.
extern "C" fn handler(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes valid pointers to both.
    let info = unsafe { &*info };
    // SAFETY: the kernel passes valid pointers to both.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    let gregs = &mut context.uc_mcontext.gregs;
    let rip = gregs[libc::REG_RIP as usize].cast_unsigned();
    if TICKS.load(Relaxed) == 0 || is_border(rip) {
        return own(signal, gregs);
    }
    if signal == libc::SIGALRM && !ends(rip) {
        return;
    }
    let registers = GREGS.map(|register| gregs[register as usize].cast_unsigned());
    // SAFETY: a fault's information has an address.
    let address = unsafe { info.si_addr() }.addr() as u64;
    // SAFETY: only this handler uses it while foreign code runs (C3). Room was reserved before.
    let log = unsafe { &mut *LOG.0.get() };
    log.push(Stop { signal, code: info.si_code, address, registers });
    let goes_on = signal == libc::SIGTRAP && log.len() < STEPS;
    if !goes_on {
        gregs[libc::REG_EFL as usize] &= !TRAP.cast_signed();
        gregs[libc::REG_RIP as usize] = (omniglot_confined_leave as *const () as usize) as i64;
    }
}

/// Counts a tick. Returns true if it is the last of the code that runs. A tick in this program
/// itself, which has just left foreign code or will enter it, does not count.
fn ends(rip: u64) -> bool {
    let is_inside = rip >> 32 == BASE_IS.load(Relaxed) >> 32;
    is_inside && TICKS.fetch_sub(1, Relaxed) == 1
}

/// Handles a signal in this program itself: ticks are ignored, and so are steps on the way out.
fn own(signal: c_int, gregs: &mut [i64]) {
    match signal {
        libc::SIGALRM => {}
        libc::SIGTRAP if is_border(gregs[libc::REG_RIP as usize].cast_unsigned()) => {
            gregs[libc::REG_EFL as usize] &= !TRAP.cast_signed();
        }
        _ => {
            tell_fault();
            // SAFETY: this only ends the process.
            unsafe { libc::_exit(99) }
        }
    }
}

/// Prints the number of the session's run, without anything that may be broken by now.
fn tell_fault() {
    let mut line = *b"this program itself faulted, in the session's run 00000000000000000000\n";
    let mut number = SESSION_RUN.load(Relaxed);
    let end = line.len() - 1;
    for digit in line[end - 20..end].iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    // SAFETY: this reads the line only.
    unsafe { libc::write(2, line.as_ptr().cast(), line.len()) };
}

/// Returns true if this is the code that enters and leaves foreign code.
fn is_border(address: u64) -> bool {
    let from = omniglot_confined_enter as *const () as u64;
    let to = omniglot_confined_end as *const () as u64;
    (from..to).contains(&address)
}
