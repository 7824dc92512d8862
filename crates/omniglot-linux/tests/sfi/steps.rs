//! A signal at each instruction of a call: on the way in, in verified code, on the way out. A debugger
//! steps through a process that makes the call again and again, one instruction further each time.

use std::arch::asm;
use std::cell::Cell;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};

use omniglot_core::{Event, Reply, Runtime, Session};
use omniglot_linux::Sfi;

use super::ends::ask;
use super::{Shim, call, enter, frame_at, result, sample, start};

unsafe extern "C" {
    /// Where the gate begins.
    fn omniglot_sfi_enter();
}

/// A call, and whether all was right.
type Call = fn(&mut Session<Sfi>) -> bool;

/// Calls, by name, with how often they enter verified code.
const CALLS: [(&str, Call, u32); 5] = [
    ("a call", |session| call(session, Shim::Add, 20, 22) == Ok(42), 1),
    ("another stack pointer", other_stack, 1),
    ("a callback", call_back, 2),
    ("a system call", |session| ask(session, 9999, [0; 4]) == Ok(-i64::from(libc::ENOSYS)), 2),
    ("pushes and pops", |session| call(session, Shim::Work, 3, 0) == Ok(9), 1),
];

fn other_stack(session: &mut Session<Sfi>) -> bool {
    let (start, len) = session.exchange();
    call(session, Shim::OtherStack, (start + len) as u64, 0) == Ok(42)
}

fn call_back(session: &mut Session<Sfi>) -> bool {
    let arguments = frame_at(session, 0);
    enter(session, Shim::CallBack, 0, 5, 42) == Ok(Event::Callback { slot: 5, arguments })
        && session.resume(Reply::Return) == Ok(Event::Returned)
        && result(session, 0) == 42
}

static RUNS: AtomicU64 = AtomicU64::new(0);
/// How many handlers found something that is not the host's.
static WRONG: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static OWN: Cell<u64> = const { Cell::new(0) };
}

/// Looks at what handlers rely on, and leaves what verified code relies on otherwise.
extern "C" fn disturb(_: i32) {
    RUNS.fetch_add(1, Ordering::Relaxed);
    let mut room = [0u8; 4096];
    std::hint::black_box(&mut room);
    let is_own = OWN.try_with(Cell::get) == Ok(77);
    // SAFETY: a system call without effect.
    let has_calls = unsafe { libc::getppid() } > 0;
    if !is_own || !has_calls {
        WRONG.fetch_add(1, Ordering::Relaxed);
    }
    // SAFETY: nothing of this program uses `%gs:`, and vector registers are the handler's.
    unsafe {
        asm!("wrgsbase {}", "pcmpeqd xmm0, xmm0", "pcmpeqd xmm5, xmm5", in(reg) 0u64,
            out("xmm0") _, out("xmm5") _);
    }
}

fn control_words() -> (u32, u16) {
    let (mut mxcsr, mut x87) = (0u32, 0u16);
    // SAFETY: stores two control words.
    unsafe { asm!("stmxcsr [{}]", "fnstcw [{}]", in(reg) &raw mut mxcsr, in(reg) &raw mut x87) };
    (mxcsr & 0xffc0, x87)
}

/// In the child: stops before each call; in each it gets one signal.
fn make_calls(call: Call, flags: i32) {
    // SAFETY: ends this process where it hangs.
    unsafe { libc::alarm(300) };
    // SAFETY: lets the parent debug this process.
    if unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, null_mut::<u8>(), null_mut::<u8>()) } != 0 {
        return;
    }
    OWN.set(77);
    // SAFETY: zeros are an action.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = disturb as *const () as usize;
    action.sa_flags = flags;
    // SAFETY: the handler does what handlers may.
    unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, null_mut()) };
    let mut session = start();
    let mut neighbour = start();
    let mut is_right = call(&mut session);
    let before = control_words();
    while is_right {
        let runs = RUNS.load(Ordering::Relaxed);
        // SAFETY: stops this process.
        unsafe { libc::raise(libc::SIGSTOP) };
        is_right = call(&mut session)
            && RUNS.load(Ordering::Relaxed) == runs + 1
            && WRONG.load(Ordering::Relaxed) == 0
            && control_words() == before
            && super::call(&mut neighbour, Shim::Add, 1, 2) == Ok(3);
    }
}

/// A process that is being debugged, and whether it still is.
struct Tracee(i32, Cell<bool>);

impl Tracee {
    fn start(call: Call, flags: i32) -> Self {
        let _made = sample();
        // SAFETY: the child makes instances of its own, and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            make_calls(call, flags);
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(1) };
        }
        Self(child, Cell::new(true))
    }

    fn request(&self, what: libc::c_uint, address: usize, data: usize) -> i64 {
        // SAFETY: of the child only, which is stopped.
        unsafe { libc::ptrace(what, self.0, address, data) }
    }

    /// The signal that stopped it; `None` if it ended.
    fn wait(&self) -> Option<i32> {
        let mut status = 0;
        // SAFETY: waits for the child, and writes to `status`.
        let waited = unsafe { libc::waitpid(self.0, &raw mut status, 0) };
        self.1.set(waited == self.0 && libc::WIFSTOPPED(status));
        self.1.get().then(|| libc::WSTOPSIG(status))
    }

    /// Continues, with a signal unless that is 0, until this one stops it. Its own signals go on to
    /// it.
    fn until(&self, awaited: i32, mut signal: i32) -> Option<()> {
        loop {
            self.request(libc::PTRACE_CONT, 0, signal as usize);
            signal = self.wait()?;
            if signal == awaited {
                return Some(());
            }
        }
    }

    fn registers(&self) -> libc::user_regs_struct {
        // SAFETY: zeros are registers.
        let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
        self.request(libc::PTRACE_GETREGS, 0, (&raw mut registers).addr());
        registers
    }

    fn word(&self, address: usize) -> usize {
        self.request(libc::PTRACE_PEEKTEXT, address, 0) as usize
    }

    /// Runs until it comes to a place.
    fn until_at(&self, place: usize) -> Option<()> {
        let original = self.word(place);
        self.request(libc::PTRACE_POKETEXT, place, original & !0xff | 0xcc);
        self.until(libc::SIGTRAP, 0)?;
        self.request(libc::PTRACE_POKETEXT, place, original);
        let mut registers = self.registers();
        assert_eq!(registers.rip as usize, place + 1, "the breakpoint");
        registers.rip -= 1;
        self.request(libc::PTRACE_SETREGS, 0, (&raw const registers).addr());
        Some(())
    }

    fn step(&self) -> Option<()> {
        self.request(libc::PTRACE_SINGLESTEP, 0, 0);
        (self.wait()? == libc::SIGTRAP).then_some(())
    }

    /// One call, with a signal so many instructions behind the beginning of the gate, on that entry
    /// of several. Returns whether the gate's end came before that; `None` if the process ended.
    fn one_call(&self, entry: u32, steps: u32) -> Option<bool> {
        let gate = (omniglot_sfi_enter as *const ()).addr();
        for _ in 1..entry {
            self.until_at(gate)?;
            self.step()?;
        }
        self.until_at(gate)?;
        let end = self.word(self.registers().rsp as usize);
        let mut is_over = false;
        for _ in 0..steps {
            self.step()?;
            is_over = self.registers().rip as usize == end;
            if is_over {
                break;
            }
        }
        self.until(libc::SIGSTOP, libc::SIGUSR1)?;
        Some(is_over)
    }
}

impl Drop for Tracee {
    fn drop(&mut self) {
        if !self.1.get() {
            return;
        }
        // SAFETY: a child of ours, which was not waited for.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
        // SAFETY: as above.
        unsafe { libc::waitpid(self.0, null_mut(), 0) };
    }
}

#[test]
fn a_signal_at_each_instruction_of_a_call_is_not_noticed() {
    for (name, call, entries) in CALLS {
        for flags in [0, libc::SA_ONSTACK] {
            for entry in 1..=entries {
                let tracee = Tracee::start(call, flags);
                let ended = |what| panic!("{name}, entry {entry}, flags {flags:#x}: ended {what}");
                if tracee.wait() != Some(libc::SIGSTOP) {
                    ended("before the first call".to_owned());
                }
                let mut steps = 0;
                loop {
                    match tracee.one_call(entry, steps) {
                        Some(true) => break,
                        Some(false) => steps += 1,
                        None => ended(format!("with a signal at step {steps}")),
                    }
                }
                assert!(steps > 40, "{name}: {steps} steps");
            }
        }
    }
}
