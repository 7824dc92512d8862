//! A signal at every single instruction of the gate: a debugger steps through it.
#![allow(unsafe_code)]

use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};

use omniglot::{IsolationKind, Result, Runtime};

use super::escape::{Escape, escape};
use super::handlers::{Handler, broken, install, runs};
use super::library::{Escapes, HostCallback};
use super::state::State;
use crate::attacks::attack::Must;
use crate::attacks::home::Home;

unsafe extern "C" {
    /// Where the gate begins, without keys and with.
    fn omniglot_enter();
    fn omniglot_keyed_enter();
}

/// More than a call has between the gate's first and last instruction.
const STEPS: u64 = 360;

pub(crate) fn escapes<R: Runtime>(home: Home<R>) -> Vec<Escape<R>> {
    let stepped = |name: &str, call: Call<R>, crossing, flags| {
        escape(format!("steps::signal_at_every_step_of_{name}"), Must::Pass, move |_, _| {
            Ok(!step_through(home, call, crossing))
        })
        .preceded_by(move || install(libc::SIGUSR1, Handler::Calls, flags))
        // QEMU reports some steps late, as traps of the process's own.
        .needs_processor()
    };
    let own_stack = libc::SA_SIGINFO | libc::SA_ONSTACK;
    vec![
        stepped("a_call", call, 1, own_stack),
        stepped("a_call_without_a_signal_stack", call, 1, libc::SA_SIGINFO),
        stepped("a_callback", call_back, 1, own_stack),
        stepped("the_way_back_from_a_callback", call_back, 2, own_stack),
        stepped("a_nested_call", call_back_and_call, 2, own_stack),
        stepped("a_fault", fault, 1, own_stack),
    ]
}

/// One call: whether all is right.
type Call<R> = fn(Home<R>, &mut Escapes<R>) -> Result<bool>;

fn call<R: Runtime>(_: Home<R>, library: &mut Escapes<R>) -> Result<bool> {
    Ok(library.sound(20, 22)? == 42)
}

fn call_back<R: Runtime>(_: Home<R>, library: &mut Escapes<R>) -> Result<bool> {
    let called = library
        .with_callback::<HostCallback, _>(&mut |_, (value,)| Ok(value + 1), |api, function| {
            api.call_host(function, 41)
        })?;
    Ok(called? == 42)
}

fn call_back_and_call<R: Runtime>(_: Home<R>, library: &mut Escapes<R>) -> Result<bool> {
    let called = library.with_callback::<HostCallback, _>(
        &mut |api, (value,)| Ok(api.sound(value, 1)?),
        |api, function| api.call_host(function, 41),
    )?;
    Ok(called? == 42)
}

/// The instance is used up, and the next one is made before the next step.
fn fault<R: Runtime>(home: Home<R>, library: &mut Escapes<R>) -> Result<bool> {
    use super::library::{Then, Upset};
    let outcome = library.upset(Upset::NOTHING, 0, Then::FAULT, omniglot::FnPtr::null());
    let right = matches!(outcome, Err(omniglot::Error::Fault(_)));
    *library = home.instance()?;
    library.sound(1, 1)?;
    Ok(right)
}

/// What a stepped process and its debugger tell each other.
#[derive(Debug, Default)]
struct Shared {
    /// Calls that went wrong.
    wrong: AtomicU64,
    /// The process itself could not go on.
    failed: AtomicU64,
}

/// Steps a process through the gate, to another instruction each time, and sends it a
/// signal there; `crossing` says which of a call's ways into foreign code is meant.
fn step_through<R: Runtime>(home: Home<R>, call: Call<R>, crossing: u32) -> bool {
    let shared = shared();
    // SAFETY: the child runs this test and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        be_stepped(home, call, shared);
        // SAFETY: ends the child.
        unsafe { libc::_exit(1) };
    }
    let gate = match home.isolation {
        IsolationKind::ProtectionKeys => omniglot_keyed_enter as *const () as usize,
        _ => omniglot_enter as *const () as usize,
    };
    let tracee = Tracee { child, gate };
    let mut steps = 0;
    let mut alive = tracee.until(libc::SIGSTOP);
    while alive && steps < STEPS && shared.wrong.load(Ordering::Relaxed) == 0 {
        alive = tracee.one_round(crossing, steps);
        steps += 1;
    }
    tracee.kill();
    let (wrong, failed) =
        (shared.wrong.load(Ordering::Relaxed), shared.failed.load(Ordering::Relaxed));
    if !alive || wrong + failed > 0 {
        eprintln!("at step {steps}: alive {alive}, wrong {wrong}, failed {failed}");
    }
    alive && wrong + failed == 0
}

/// Memory that a forked child shares.
fn shared() -> &'static Shared {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    // SAFETY: new memory, of which zeros are a `Shared`, and which stays.
    let memory = unsafe { libc::mmap(null_mut(), 4096, access, flags, -1, 0) };
    assert_ne!(memory, libc::MAP_FAILED, "shared memory");
    // SAFETY: as above.
    unsafe { &*memory.cast::<Shared>() }
}

/// The child: stops before each call, for the debugger to find.
fn be_stepped<R: Runtime>(home: Home<R>, call: Call<R>, shared: &Shared) {
    // SAFETY: lets the parent debug this process.
    unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, null_mut::<u8>(), null_mut::<u8>()) };
    let Ok(mut library) = home.instance::<Escapes<R>>() else {
        shared.failed.store(1, Ordering::Relaxed);
        return;
    };
    let _ = library.sound(1, 1);
    let before = State::now();
    loop {
        super::handlers::raise(libc::SIGSTOP);
        let first = runs();
        let outcome = call(home, &mut library);
        let ran = runs() - first;
        let difference = before.difference();
        if outcome != Ok(true) || ran != 1 || !broken().is_empty() || difference.is_some() {
            eprintln!("{outcome:?}, {ran} handlers, {:?}, {difference:?}", broken());
            shared.wrong.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A process that is debugged.
struct Tracee {
    child: i32,
    /// Where to stop it first.
    gate: usize,
}

impl Tracee {
    /// From before a call to before the next one. Whether it lives.
    fn one_round(&self, crossing: u32, steps: u64) -> bool {
        let gate = self.gate;
        let original = self.peek(gate);
        self.poke(gate, original & !0xff | 0xcc);
        for index in 0..crossing {
            if !self.until(libc::SIGTRAP) {
                return false;
            }
            self.poke(gate, original);
            self.step_back();
            if index + 1 < crossing {
                // Over the gate's first instruction, and to the gate again.
                self.request(libc::PTRACE_SINGLESTEP, 0, 0);
                if self.wait() != Some(libc::SIGTRAP) {
                    return false;
                }
                self.poke(gate, original & !0xff | 0xcc);
            }
        }
        for _ in 0..steps {
            self.request(libc::PTRACE_SINGLESTEP, 0, 0);
            if self.wait().is_none() {
                return false;
            }
        }
        self.request(libc::PTRACE_CONT, 0, libc::SIGUSR1 as usize);
        self.wait_for(libc::SIGSTOP)
    }

    /// Lets it go on until it stops with that signal.
    fn until(&self, signal: i32) -> bool {
        if signal == libc::SIGSTOP {
            return self.wait_for(signal);
        }
        self.request(libc::PTRACE_CONT, 0, 0);
        self.wait_for(signal)
    }

    fn wait_for(&self, signal: i32) -> bool {
        loop {
            match self.wait() {
                Some(stopped) if stopped == signal => return true,
                // A step that is reported late, in an emulated machine.
                Some(libc::SIGTRAP) => self.request(libc::PTRACE_CONT, 0, 0),
                // Its own business.
                Some(other) => self.request(libc::PTRACE_CONT, 0, other as usize),
                None => return false,
            }
        }
    }

    /// The signal with which it stopped; `None` if it ended.
    fn wait(&self) -> Option<i32> {
        let mut status = 0;
        // SAFETY: writes to `status`.
        let waited = unsafe { libc::waitpid(self.child, &raw mut status, 0) };
        let stopped = waited == self.child && libc::WIFSTOPPED(status);
        if !stopped {
            eprintln!("it ended: {status:#x}");
        }
        stopped.then(|| libc::WSTOPSIG(status))
    }

    fn request(&self, what: libc::c_uint, address: usize, data: usize) {
        // SAFETY: a child that stopped; changes that one only.
        unsafe { libc::ptrace(what, self.child, address, data) };
    }

    fn peek(&self, address: usize) -> usize {
        // SAFETY: as above.
        let word =
            unsafe { libc::ptrace(libc::PTRACE_PEEKTEXT, self.child, address, null_mut::<u8>()) };
        word as usize
    }

    fn poke(&self, address: usize, word: usize) {
        self.request(libc::PTRACE_POKETEXT, address, word);
    }

    /// Over the breakpoint that it ran into.
    fn step_back(&self) {
        // SAFETY: zeros are a value of the type.
        let mut registers = unsafe { std::mem::zeroed::<libc::user_regs_struct>() };
        self.request(libc::PTRACE_GETREGS, 0, (&raw mut registers).addr());
        registers.rip -= 1;
        self.request(libc::PTRACE_SETREGS, 0, (&raw const registers).addr());
    }

    fn kill(&self) {
        // SAFETY: a child of ours, not yet waited for.
        unsafe { libc::kill(self.child, libc::SIGKILL) };
        // SAFETY: as above.
        unsafe { libc::waitpid(self.child, null_mut(), 0) };
    }
}
