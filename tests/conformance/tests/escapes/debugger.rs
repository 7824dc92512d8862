//! Calls in a process that a debugger stops within the gate.
#![allow(unsafe_code)]

use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};

use omniglot::{Result, Runtime};

use super::handlers::{broken, runs};
use super::library::{Escapes, HostCallback};
use super::state::State;
use crate::attacks::home::Home;

/// Makes one call. Returns true if everything was right.
pub(super) type Call<R> = fn(Home<R>, &mut Escapes<R>) -> Result<bool>;

pub(super) fn call<R: Runtime>(_: Home<R>, library: &mut Escapes<R>) -> Result<bool> {
    Ok(library.sound(20, 22)? == 42)
}

pub(super) fn call_back<R: Runtime>(_: Home<R>, library: &mut Escapes<R>) -> Result<bool> {
    let called = library
        .with_callback::<HostCallback, _>(&mut |_, value| Ok(value + 1), |api, function| {
            api.call_host(function, 41)
        })?;
    Ok(called? == 42)
}

pub(super) fn call_back_and_call<R: Runtime>(_: Home<R>, library: &mut Escapes<R>) -> Result<bool> {
    let called = library.with_callback::<HostCallback, _>(
        &mut |api, value| Ok(api.sound(value, 1)?),
        |api, function| api.call_host(function, 41),
    )?;
    Ok(called? == 42)
}

/// A fault uses the instance up; a new one is made before the next step.
pub(super) fn fault<R: Runtime>(home: Home<R>, library: &mut Escapes<R>) -> Result<bool> {
    use super::library::{Then, Upset};
    let outcome = library.upset(Upset::NOTHING, 0, Then::FAULT, omniglot::FnPtr::null());
    let right = matches!(outcome, Err(omniglot::Error::Fault(_)));
    *library = home.instance()?;
    library.sound(1, 1)?;
    Ok(right)
}

/// What a stepped process and its debugger tell each other.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The number of signals that the debugger has delivered.
    sent: AtomicU64,
    /// The number of calls that went wrong.
    wrong: AtomicU64,
    /// Nonzero if the process itself could not continue.
    failed: AtomicU64,
    /// Orders of the debugger for the next call.
    orders: [AtomicU64; 2],
}

impl Shared {
    /// Sets the orders for the next call.
    pub(super) fn order(&self, orders: [u64; 2]) {
        self.orders.iter().zip(orders).for_each(|(place, order)| {
            place.store(order, Ordering::Relaxed);
        });
    }

    /// Returns the orders for this call.
    pub(super) fn orders(&self) -> [u64; 2] {
        self.orders.each_ref().map(|order| order.load(Ordering::Relaxed))
    }

    /// Returns the number of signals so far with another value, at a moment without signals in
    /// between.
    fn sent_and<T>(&self, other: impl Fn() -> T) -> (u64, T) {
        loop {
            let sent = self.sent.load(Ordering::SeqCst);
            let value = other();
            if self.sent.load(Ordering::SeqCst) == sent {
                return (sent, value);
            }
        }
    }

    /// Describes what went wrong so far, if anything.
    pub(super) fn trouble(&self) -> Option<String> {
        let (wrong, failed) =
            (self.wrong.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed));
        (wrong + failed > 0).then(|| format!("{wrong} wrong, {failed} failed"))
    }
}

/// Returns memory that a forked child shares.
pub(super) fn shared() -> &'static Shared {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    // SAFETY: the memory is new and is never unmapped, and all zeros are a valid `Shared`.
    let memory = unsafe { libc::mmap(null_mut(), 4096, access, flags, -1, 0) };
    assert_ne!(memory, libc::MAP_FAILED, "shared memory");
    // SAFETY: the memory is new and is never unmapped, and all zeros are a valid `Shared`.
    unsafe { &*memory.cast::<Shared>() }
}

/// The child: stops before each call for the debugger.
fn make_calls<R: Runtime>(
    home: Home<R>,
    call: impl Fn(Home<R>, &mut Escapes<R>) -> Result<bool>,
    shared: &Shared,
) {
    // SAFETY: this lets the parent debug this process.
    unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, null_mut::<u8>(), null_mut::<u8>()) };
    let Ok(mut library) = home.instance::<Escapes<R>>() else {
        shared.failed.store(1, Ordering::Relaxed);
        return;
    };
    let _ = library.sound(1, 1);
    let (before, first) = (State::now(), runs());
    loop {
        super::handlers::raise(libc::SIGSTOP);
        let outcome = call(home, &mut library);
        let (sent, ran) = shared.sent_and(|| runs() - first);
        let difference = before.difference();
        let is_wrong = outcome != Ok(true) || ran != sent || difference.is_some();
        if is_wrong || !broken().is_empty() {
            let broken = broken();
            eprintln!("{outcome:?}, {ran} handlers for {sent} signals, {broken:?}, {difference:?}");
            shared.wrong.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A process that is being debugged.
#[derive(Debug)]
pub(super) struct Tracee {
    child: i32,
    pub(super) shared: &'static Shared,
}

impl Tracee {
    /// Starts a process that makes the call repeatedly, and stops before each.
    pub(super) fn start<R: Runtime>(home: Home<R>, call: Call<R>) -> Self {
        Self::start_with(home, call, shared())
    }

    /// The same, with shared memory that the call also uses.
    pub(super) fn start_with<R: Runtime>(
        home: Home<R>,
        call: impl Fn(Home<R>, &mut Escapes<R>) -> Result<bool>,
        shared: &'static Shared,
    ) -> Self {
        // SAFETY: the child runs this test and exits.
        let child = unsafe { libc::fork() };
        if child == 0 {
            make_calls(home, call, shared);
            // SAFETY: this ends the child.
            unsafe { libc::_exit(1) };
        }
        Self { child, shared }
    }

    /// Sets a breakpoint. Returns the word that was there, for [`Tracee::take_out`].
    pub(super) fn put(&self, place: usize) -> usize {
        let original = self.peek(place);
        self.poke(place, original & !0xff | 0xcc);
        original
    }

    /// Removes a breakpoint.
    pub(super) fn take_out(&self, place: usize, original: usize) {
        self.poke(place, original);
    }

    /// Executes one instruction. Returns the signal that stopped it, or `None` if it ended.
    pub(super) fn step(&self) -> Option<i32> {
        self.request(libc::PTRACE_SINGLESTEP, 0, 0);
        self.wait()
    }

    /// Continues the process with a signal.
    pub(super) fn interrupt(&self) {
        self.shared.sent.fetch_add(1, Ordering::SeqCst);
        self.request(libc::PTRACE_CONT, 0, libc::SIGUSR1 as usize);
    }

    /// Continues the process, with a signal unless that is 0.
    pub(super) fn go_on(&self, signal: i32) {
        self.request(libc::PTRACE_CONT, 0, signal as usize);
    }

    /// Returns true if it stopped at the breakpoint there.
    pub(super) fn is_past(&self, place: usize) -> bool {
        self.registers().rip == place as u64 + 1
    }

    pub(super) fn registers(&self) -> libc::user_regs_struct {
        // SAFETY: all zeros are valid for this type.
        let mut registers = unsafe { std::mem::zeroed::<libc::user_regs_struct>() };
        self.request(libc::PTRACE_GETREGS, 0, (&raw mut registers).addr());
        registers
    }

    /// Continues until this signal stops the process.
    pub(super) fn until(&self, signal: i32) -> bool {
        if signal == libc::SIGSTOP {
            return self.wait_for(signal);
        }
        self.request(libc::PTRACE_CONT, 0, 0);
        self.wait_for(signal)
    }

    /// Continues until the process reaches a place or its next stop. Returns whether it reached the
    /// place, or `None` if it ended.
    pub(super) fn until_at(&self, place: usize) -> Option<bool> {
        let original = self.put(place);
        self.go_on(0);
        loop {
            match self.wait()? {
                libc::SIGTRAP if self.is_past(place) => {
                    self.take_out(place, original);
                    self.step_back();
                    return Some(true);
                }
                libc::SIGSTOP => {
                    self.take_out(place, original);
                    return Some(false);
                }
                // A single step that an emulated machine reports late.
                libc::SIGTRAP => self.go_on(0),
                other => self.go_on(other),
            }
        }
    }

    pub(super) fn wait_for(&self, signal: i32) -> bool {
        loop {
            match self.wait() {
                Some(stopped) if stopped == signal => return true,
                // A single step that an emulated machine reports late.
                Some(libc::SIGTRAP) => self.request(libc::PTRACE_CONT, 0, 0),
                // The process's own signal.
                Some(other) => self.request(libc::PTRACE_CONT, 0, other as usize),
                None => return false,
            }
        }
    }

    /// Returns the signal that stopped the process, or `None` if it ended.
    pub(super) fn wait(&self) -> Option<i32> {
        let mut status = 0;
        // SAFETY: this writes to `status` only.
        let waited = unsafe { libc::waitpid(self.child, &raw mut status, 0) };
        let stopped = waited == self.child && libc::WIFSTOPPED(status);
        if !stopped {
            eprintln!("it ended: {status:#x}");
        }
        stopped.then(|| libc::WSTOPSIG(status))
    }

    fn request(&self, what: libc::c_uint, address: usize, data: usize) {
        // SAFETY: the child is stopped, and only the child changes.
        unsafe { libc::ptrace(what, self.child, address, data) };
    }

    fn peek(&self, address: usize) -> usize {
        // SAFETY: the child is stopped, and only the child changes.
        let word =
            unsafe { libc::ptrace(libc::PTRACE_PEEKTEXT, self.child, address, null_mut::<u8>()) };
        word as usize
    }

    fn poke(&self, address: usize, word: usize) {
        self.request(libc::PTRACE_POKETEXT, address, word);
    }

    /// Moves the instruction pointer back to the breakpoint that was hit.
    pub(super) fn step_back(&self) {
        let mut registers = self.registers();
        registers.rip -= 1;
        self.request(libc::PTRACE_SETREGS, 0, (&raw const registers).addr());
    }

    pub(super) fn kill(&self) {
        // SAFETY: this is our own child, which was not waited for yet.
        unsafe { libc::kill(self.child, libc::SIGKILL) };
        // SAFETY: this is our own child, which was not waited for yet.
        unsafe { libc::waitpid(self.child, null_mut(), 0) };
    }
}
