//! The interface of a runtime: provide a window, and run foreign code from one step to the next
//! event.

use core::fmt::Debug;
use core::time::Duration;

use crate::calls::Calls;
use crate::error::{Error, Result};
use crate::memory::Window;
use crate::timer::Timer;

/// Which of the four guarantees a runtime gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guarantees {
    /// Foreign code can neither write nor read host memory.
    pub memory: bool,
    /// No invalid value becomes a Rust value.
    pub types: bool,
    /// No reference into foreign memory lives while foreign code can run.
    pub aliasing: bool,
    /// Faults, hangs and system calls end the call, not the host.
    pub containment: bool,
}

/// How an instance is isolated.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsolationKind {
    /// In a process of its own.
    Process,
    /// In this process, behind a memory protection key.
    ProtectionKeys,
    /// In this process, in memory that its machine code was proved to stay in.
    Sfi,
    /// In user mode, behind RISC-V physical memory protection.
    Pmp,
    /// Not at all.
    Unprotected,
}

/// What foreign code did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The innermost call returned.
    Returned,
    /// Foreign code calls back and waits for an answer, or for calls that are nested in the
    /// callback.
    Callback {
        /// The callback slot that foreign code names.
        slot: u32,
        /// The address of the arguments that foreign code names.
        arguments: usize,
    },
}

/// How the host answers a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The result was written into the callback's frame; resume.
    Return,
    /// Run this shim in the callback's place, with the arguments at this address; it usually leaves
    /// by `longjmp`. If it returns, resume as after `Return`.
    Raise {
        /// The shim's entry address.
        entry: usize,
        /// The address of its frame.
        arguments: usize,
    },
}

/// What foreign code does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Start a call: run this entry with the address of its frame.
    Call {
        /// The shim's entry address.
        entry: usize,
        /// The address of its frame.
        arguments: usize,
    },
    /// Resume after the innermost callback.
    Resume(Reply),
}

/// Where foreign code lives and runs.
///
/// A runtime [runs](Self::run) foreign code from one [`Step`] to the next [`Event`], a return or a
/// callback. So no foreign frame ever lies between host frames, and a panic in a callback unwinds
/// host frames only. Which step fits when, what limits a call's time and what an error means for
/// the calls after it is up to the [`Session`](crate::Session), which is the same for all runtimes.
///
/// # Safety
/// - The window stays as [`Window::new`] demands from one [`reload`](Self::reload) that
///   succeeds to the next, or to the end of the runtime's lifetime, in the process for which
///   [`check_alive`](Self::check_alive) is good. After such a reload [`window`](Self::window)
///   may be another one, elsewhere.
/// - Foreign code runs only inside `run` and `reload`; where
///   [`is_concurrent`](Self::is_concurrent) says false, nothing else writes the
///   window at other times either, and what it says never changes.
/// - An event is reported only in the process in which the step began.
/// - After [`kill`](Self::kill) no foreign code that was loaded before runs again.
/// - What [`check_writable`](Self::check_writable) accepts, the host may write
///   without a fault, and what is there is not foreign code or a constant of it.
/// - Whatever foreign code does, host memory outside the window is not written,
///   and the guarantees named in `GUARANTEES` hold.
#[allow(unsafe_code)]
pub unsafe trait Runtime: Sized + Send + 'static {
    /// The guarantees that this runtime gives.
    const GUARANTEES: Guarantees;
    /// Whether calls can be interrupted by number, so that the session counts them and tells of
    /// each outermost one where it [begins](Self::begin_call) and [ends](Self::end_call).
    const COUNTS_CALLS: bool = true;
    /// The frequency of the clock of [`Calls::time`], in ticks per second.
    const TICKS_PER_SECOND: u64;
    /// Interrupts a running call from another thread.
    type InterruptHandle: Clone + Send + Sync + Debug;

    /// The domain's memory.
    fn window(&self) -> &Window;
    /// Checks that the domain belongs to this process; called before anything of it is used.
    ///
    /// # Errors
    /// [`Error::Forked`](crate::Error::Forked) in a forked child.
    #[inline]
    fn check_alive(&self) -> Result<()> {
        Ok(())
    }
    /// Whether the window may change while the host runs, so that views must copy.
    fn is_concurrent(&self) -> bool;
    /// Checks that foreign code itself may write these bytes, so that the host may write them at
    /// foreign code's request. Its code and constants are excluded: a host that shares its mapping
    /// would otherwise change code, or fault.
    ///
    /// # Errors
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) where they are not in the window;
    /// [`Error::ReadOnly`](crate::Error::ReadOnly) where they may not be written.
    #[inline]
    fn check_writable(&self, address: usize, len: usize) -> Result<()> {
        self.window().check(address, len)
    }
    /// The part of the window that is the host's to allocate from: address and
    /// length, the address a multiple of 16.
    fn exchange(&self) -> (usize, usize);
    /// The entry address of a shim; `None` if there is no such shim.
    fn shim(&self, index: u32) -> Option<usize>;
    /// The address of the C function that calls a callback slot.
    fn trampoline(&self, slot: u32) -> Option<usize>;
    /// How the domain is isolated.
    fn isolation(&self) -> IsolationKind;
    /// A handle to interrupt calls from other threads. It stays valid after a reset.
    fn interrupt_handle(&self) -> Self::InterruptHandle;
    /// The time limit that the domain was loaded with.
    fn time_limit(&self) -> Option<Duration> {
        None
    }

    /// Runs foreign code up to its next event, at a depth of [`calls.depth()`](Calls::depth).
    ///
    /// The clock need not be read if there is no [time limit](Calls::time); if there is one, the
    /// time that foreign code ran is added to it.
    ///
    /// # Errors
    /// Whatever ended the call instead; [`Error::NonLocalExit`](crate::Error::NonLocalExit)
    /// where foreign code left the innermost call for an outer one. The session poisons itself
    /// where the error [says so](crate::Error::poisons), or [`Calls::lose`] was called.
    ///
    /// # Safety
    /// - [`check_alive`](Self::check_alive) was good, and neither [`kill`](Self::kill) was
    ///   called since the last `reload`, nor did that fail.
    /// - As many calls as `calls` says wait in callbacks; for [`Step::Resume`] one more does,
    ///   the innermost one, which then runs.
    unsafe fn run(&mut self, step: Step, calls: &mut Calls) -> Result<Event>;
    /// Abandons all calls: no foreign code of the domain runs again before a
    /// [`reload`](Self::reload). The window stays.
    fn kill(&mut self);
    /// Returns the domain to the state after loading: the previous content of its memory and
    /// registers is gone. No foreign code that ran before, in whatever state it is, runs again or
    /// can be told apart from code that never ran. Window, exchange area, shims and trampolines may
    /// lie elsewhere afterwards.
    ///
    /// What foreign code may do stays the same. Interrupt handles stay valid, and an interruption
    /// of an earlier call affects no later one. No call is in progress, or all are abandoned by
    /// this. The method is optional: the default refuses.
    ///
    /// # Errors
    /// An error of the runtime's. Then no foreign code runs until a later reload succeeds; the
    /// window stays.
    fn reload(&mut self, calls: &mut Calls) -> Result<()> {
        let _ = calls;
        Err(Error::Unsupported {
            what: "this runtime cannot reset an instance",
            remedy: "build a new one",
        })
    }
    /// An outermost call, or an operation of several, begins under this number. Interrupting it
    /// names the number, and affects no other. Only called if [`COUNTS_CALLS`](Self::COUNTS_CALLS).
    #[inline]
    fn begin_call(&mut self, number: u64) {
        let _ = number;
    }
    /// The last number that a call [began](Self::begin_call) under, 0 before the first: another
    /// session of the same runtime counts from there, since what interrupts a call may come late.
    /// Only where [`COUNTS_CALLS`](Self::COUNTS_CALLS).
    fn last_call(&self) -> u64 {
        0
    }
    /// No call is in progress any more. Only where [`COUNTS_CALLS`](Self::COUNTS_CALLS).
    #[inline]
    fn end_call(&mut self) {}
    /// The time limit has changed: a runtime can prepare here what a limited call needs.
    fn limit_changed(&mut self, time: &Timer) {
        let _ = time;
    }
}
