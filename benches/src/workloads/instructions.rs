//! How many instructions a call takes: a debugger (ptrace(2)) steps through one. Unlike
//! nanoseconds they are the same on a busy machine.
#![allow(unsafe_code)]

use std::ops::Range;
use std::ptr::null_mut;

use anyhow::{Context, Result, bail, ensure};
use omniglot::{Runtime, Unprotected};
use omniglot_turns::{Record, Settings, Unit, summarise};

use crate::runtimes;
use crate::small::Workloads;

unsafe extern "C" {
    /// The gate's way in, and its way out.
    fn omniglot_enter();
    fn omniglot_commit_end();
    fn omniglot_return_exits();
    fn omniglot_way_out_end();
}

/// More than any call takes.
const MOST: usize = 100_000;
/// Calls before the one that counts, for all that is found out once.
const WARM_UP: u32 = 3;

/// An empty call on `Unprotected`, and what of it is the gate's, foreign code's, and the
/// runtime's and the bindings'.
pub(crate) fn instructions(_: Settings) -> Result<Vec<Record>> {
    let Some(library) = runtimes::unprotected::<Workloads<Unprotected>>()? else {
        return Ok(Vec::new());
    };
    drop(library);
    let steps = step_through_a_call()?;
    let count = |variant, instructions: u64| {
        let instructions = vec![instructions as f64];
        summarise("instructions", 0, variant, Unit::Instructions, instructions)
    };
    Ok(vec![
        count("unprotected-gate", steps.gate),
        count("unprotected-foreign", steps.foreign),
        count("unprotected-host", steps.all - steps.gate - steps.foreign),
        count("unprotected", steps.all),
    ])
}

/// What was executed, by where the instructions are.
#[derive(Debug, Default)]
struct Steps {
    all: u64,
    gate: u64,
    foreign: u64,
}

impl Steps {
    fn note(&mut self, place: usize, window: &Range<usize>) {
        let address = |symbol: unsafe extern "C" fn()| symbol as *const () as usize;
        let is_gate = (address(omniglot_enter)..address(omniglot_commit_end)).contains(&place)
            || (address(omniglot_return_exits)..address(omniglot_way_out_end)).contains(&place);
        self.all += 1;
        self.gate += u64::from(is_gate);
        self.foreign += u64::from(window.contains(&place));
    }
}

fn step_through_a_call() -> Result<Steps> {
    // SAFETY: the child makes an instance of its own, calls it, and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let status = i32::from(be_stepped().is_err());
        // SAFETY: ends the child.
        unsafe { libc::_exit(status) };
    }
    ensure!(child > 0, "fork: {}", std::io::Error::last_os_error());
    let stepped = Stepped(child);
    stepped.wait().context("the process to step through")?;
    let nothing = stepped.between_marks()?;
    let mut call = stepped.between_marks()?;
    call.all -= nothing.all;
    Ok(call)
}

/// The child: marks where nothing happens, and where a call does.
fn be_stepped() -> Result<()> {
    let library = runtimes::unprotected::<Workloads<Unprotected>>()?;
    let mut library = library.context("no runtime without protection")?;
    for _ in 0..WARM_UP {
        library.empty()?;
    }
    let window = library.runtime().window();
    let (start, end) = (window.start(), window.start() + window.len());
    // SAFETY: lets the parent debug this process.
    unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, null_mut::<u8>(), null_mut::<u8>()) };
    // SAFETY: stops for the debugger.
    unsafe { libc::raise(libc::SIGSTOP) };
    begin_mark(start, end);
    end_mark();
    begin_mark(start, end);
    let outcome = library.empty();
    end_mark();
    Ok(outcome?)
}

#[inline(never)]
extern "C" fn begin_mark(window_start: usize, window_end: usize) {
    std::hint::black_box((window_start, window_end));
}

#[inline(never)]
extern "C" fn end_mark() {
    std::hint::black_box(());
}

/// A process that is debugged.
struct Stepped(libc::pid_t);

impl Stepped {
    /// What it executes from the next mark to the one after it.
    fn between_marks(&self) -> Result<Steps> {
        let begin = self.step_to(begin_mark as *const () as usize, |_| {})?;
        let window = begin.rdi as usize..begin.rsi as usize;
        let mut steps = Steps::default();
        self.step_to(end_mark as *const () as usize, |place| steps.note(place, &window))?;
        Ok(steps)
    }

    fn step_to(&self, end: usize, mut note: impl FnMut(usize)) -> Result<libc::user_regs_struct> {
        for _ in 0..MOST {
            self.request(libc::PTRACE_SINGLESTEP, null_mut());
            self.wait()?;
            let registers = self.registers();
            let place = registers.rip as usize;
            if place == end {
                return Ok(registers);
            }
            note(place);
        }
        bail!("no end after {MOST} instructions")
    }

    /// Until it stops.
    fn wait(&self) -> Result<()> {
        let mut status = 0;
        // SAFETY: writes to `status`.
        let waited = unsafe { libc::waitpid(self.0, &raw mut status, 0) };
        ensure!(waited == self.0 && libc::WIFSTOPPED(status), "it ended early: {status:#x}");
        Ok(())
    }

    fn registers(&self) -> libc::user_regs_struct {
        // SAFETY: zeros are a value of the type.
        let mut registers = unsafe { std::mem::zeroed::<libc::user_regs_struct>() };
        self.request(libc::PTRACE_GETREGS, (&raw mut registers).cast());
        registers
    }

    fn request(&self, what: libc::c_uint, data: *mut u8) {
        // SAFETY: a child that stopped; `data` is where the request puts what it gets, or null.
        unsafe { libc::ptrace(what, self.0, null_mut::<u8>(), data) };
    }
}

impl Drop for Stepped {
    fn drop(&mut self) {
        // SAFETY: a child of ours, not yet waited for.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
        // SAFETY: as above.
        unsafe { libc::waitpid(self.0, null_mut(), 0) };
    }
}
