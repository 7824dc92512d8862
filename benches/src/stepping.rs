//! Counts the instructions of an operation by single-stepping it with ptrace(2). Unlike
//! nanoseconds, the counts do not depend on the machine's load.
#![allow(unsafe_code)]

use std::ops::{Range, Sub};
use std::ptr::null_mut;

use anyhow::{Context, Result, bail, ensure};

unsafe extern "C" {
    /// The gate's file, from its first function to its end.
    fn omniglot_enter();
    fn omniglot_sfi_abandoned_end();
}

/// A limit on instructions, larger than any operation needs.
const MOST: usize = 1_000_000;
/// Number of operations before the one that is counted, so that one-time work is done.
const WARM_UP: u32 = 3;

/// The executed instructions, by the code that they belong to.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    pub(crate) all: u64,
    /// Instructions in the gate.
    pub(crate) gate: u64,
    /// Instructions that are in no file that the host loaded.
    pub(crate) foreign: u64,
}

impl Sub for Steps {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            all: self.all - other.all,
            gate: self.gate - other.gate,
            foreign: self.foreign - other.foreign,
        }
    }
}

impl Steps {
    fn note(&mut self, place: usize, host: &[Range<usize>]) {
        let address = |symbol: unsafe extern "C" fn()| symbol as *const () as usize;
        let gate = address(omniglot_enter)..address(omniglot_sfi_abandoned_end);
        let is_gate = gate.contains(&place);
        self.all += 1;
        self.gate += u64::from(is_gate);
        self.foreign += u64::from(!host.iter().any(|code| code.contains(&place)));
    }
}

/// Steps through one operation in a child process. `set_up` runs in the child, and returns the
/// operation.
pub(crate) fn step_through<O: FnMut() -> Result<()>>(
    set_up: impl FnOnce() -> Result<O>,
) -> Result<Steps> {
    // SAFETY: the child makes instances of its own, does the operation, and exits.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let outcome = be_stepped(set_up);
        if let Err(error) = &outcome {
            eprintln!("{error:#}");
        }
        // SAFETY: this ends the child.
        unsafe { libc::_exit(i32::from(outcome.is_err())) };
    }
    ensure!(child > 0, "fork: {}", std::io::Error::last_os_error());
    let stepped = Stepped(child);
    stepped.wait().context("the process to step through")?;
    let nothing = stepped.between_marks()?;
    let mut operation = stepped.between_marks()?;
    operation.all -= nothing.all;
    Ok(operation)
}

/// The child's side: calls the marker functions once around nothing, and once around the operation.
fn be_stepped<O: FnMut() -> Result<()>>(set_up: impl FnOnce() -> Result<O>) -> Result<()> {
    let mut operation = set_up()?;
    for _ in 0..WARM_UP {
        operation()?;
    }
    // SAFETY: this lets the parent debug this process.
    unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, null_mut::<u8>(), null_mut::<u8>()) };
    // SAFETY: this stops the process for the debugger.
    unsafe { libc::raise(libc::SIGSTOP) };
    begin_mark();
    end_mark();
    begin_mark();
    let outcome = operation();
    end_mark();
    outcome
}

#[inline(never)]
extern "C" fn begin_mark() {
    std::hint::black_box(());
}

#[inline(never)]
extern "C" fn end_mark() {
    std::hint::black_box(());
}

/// A process that is being debugged.
struct Stepped(libc::pid_t);

impl Stepped {
    /// Counts the instructions from the next begin mark to the next end mark.
    fn between_marks(&self) -> Result<Steps> {
        self.step_to(begin_mark as *const () as usize, |_| {})?;
        let host = self.host_code()?;
        let mut steps = Steps::default();
        self.step_to(end_mark as *const () as usize, |place| steps.note(place, &host))?;
        Ok(steps)
    }

    /// The executable memory of the program and its shared libraries.
    fn host_code(&self) -> Result<Vec<Range<usize>>> {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", self.0))?;
        // proc_pid_maps(5): range, permissions, offset, device, inode, path.
        let code = maps.lines().filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let (range, permissions) = (words.next()?, words.next()?);
            let path = words.nth(3)?;
            let (start, end) = range.split_once('-')?;
            let is_loaded = path.starts_with('/') && !path.starts_with("/memfd:");
            (permissions.contains('x') && is_loaded).then_some((start, end))
        });
        let parse = |number| usize::from_str_radix(number, 16);
        code.map(|(start, end)| Ok(parse(start)?..parse(end)?)).collect()
    }

    fn step_to(&self, end: usize, mut note: impl FnMut(usize)) -> Result<()> {
        for _ in 0..MOST {
            self.request(libc::PTRACE_SINGLESTEP, null_mut());
            self.wait()?;
            let place = self.registers().rip as usize;
            if place == end {
                return Ok(());
            }
            note(place);
        }
        bail!("no end after {MOST} instructions")
    }

    /// Waits until the process stops.
    fn wait(&self) -> Result<()> {
        let mut status = 0;
        // SAFETY: this writes to `status` only.
        let waited = unsafe { libc::waitpid(self.0, &raw mut status, 0) };
        ensure!(waited == self.0 && libc::WIFSTOPPED(status), "it ended early: {status:#x}");
        Ok(())
    }

    fn registers(&self) -> libc::user_regs_struct {
        // SAFETY: all zeros are a valid value of the type.
        let mut registers = unsafe { std::mem::zeroed::<libc::user_regs_struct>() };
        self.request(libc::PTRACE_GETREGS, (&raw mut registers).cast());
        registers
    }

    fn request(&self, what: libc::c_uint, data: *mut u8) {
        // SAFETY: the process is a stopped child, and `data` is null or room for the request's
        // result.
        unsafe { libc::ptrace(what, self.0, null_mut::<u8>(), data) };
    }
}

impl Drop for Stepped {
    fn drop(&mut self) {
        // SAFETY: this is our own child, which was not waited for yet.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
        // SAFETY: this is our own child, which was not waited for yet.
        unsafe { libc::waitpid(self.0, null_mut(), 0) };
    }
}
