//! What a runtime must do: keep a window, run an entry, report events.

use core::fmt::Debug;
use core::time::Duration;

use crate::{Cause, Error, Result, Window};

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
    /// Foreign code calls back and waits for [`Runtime::resume`] (or a nested
    /// [`Runtime::enter`]).
    Callback {
        /// The callback slot, as foreign code says.
        slot: u32,
        /// The address of the arguments, as foreign code says.
        arguments: usize,
    },
}

/// How the host answers a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The result was written into the callback's frame; go on.
    Return,
    /// Run this shim in the callback's place, with the arguments at this address;
    /// it usually leaves by `longjmp`. If it returns, go on as after `Return`.
    Raise {
        /// The shim's entry address.
        entry: usize,
        /// The address of its frame.
        arguments: usize,
    },
}

/// Where foreign code lives and runs.
///
/// A runtime is a state machine: [`enter`](Self::enter) starts a call and reports
/// the first [`Event`]; a callback is an event too, answered by
/// [`resume`](Self::resume) or by a nested `enter`. So no foreign frame ever lies
/// between host frames, and a panic in a callback unwinds host frames only.
///
/// After an error for which [`Error::poisons`](crate::Error::poisons) is `Some`,
/// or after [`abandon`](Self::abandon), foreign code of the domain never runs
/// again until [`reset`](Self::reset) succeeds, and the window stays mapped until
/// then, or until the runtime is dropped.
///
/// # Safety
/// - The window stays as [`Window::new`] demands from one `reset` that succeeds to
///   the next, or to the end of the runtime's lifetime. After such a reset
///   [`window`](Self::window) may be another one, elsewhere.
/// - Foreign code runs only inside `enter` and `resume`; where
///   [`is_concurrent`](Self::is_concurrent) says false, nothing else writes the
///   window at other times either, and what it says never changes.
/// - What [`check_writable`](Self::check_writable) accepts, the host may write
///   without a fault, and what is there is not foreign code or a constant of it.
/// - Whatever foreign code does, host memory outside the window is not written,
///   and the guarantees named in `GUARANTEES` hold.
/// - `enter` and `resume` check their own state: a call that does not fit it is
///   an error, never undefined behaviour.
#[allow(unsafe_code)]
pub unsafe trait Runtime: Sized + Send + 'static {
    /// The guarantees that this runtime gives.
    const GUARANTEES: Guarantees;
    /// Interrupts a running call from another thread.
    type InterruptHandle: Clone + Send + Sync + Debug;

    /// The domain's memory.
    fn window(&self) -> &Window;
    /// Checks that the domain belongs to this process; asked before anything of it is used.
    ///
    /// # Errors
    /// [`Error::Forked`](crate::Error::Forked) in a forked child.
    #[inline]
    fn check_alive(&self) -> Result<()> {
        Ok(())
    }
    /// Whether the window may change while the host runs, so that views must copy.
    fn is_concurrent(&self) -> bool;
    /// Checks that foreign code itself may write these bytes, so that the host may write
    /// them where foreign code says: not its code or constants, of which a host that
    /// shares its mapping would otherwise make other code, or fault.
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
    /// Runs the entry with the address of its frame, up to the next event.
    ///
    /// # Errors
    /// Whatever ended the call instead.
    fn enter(&mut self, entry: usize, arguments: usize) -> Result<Event>;
    /// Answers the innermost callback and goes on to the next event.
    ///
    /// # Errors
    /// Whatever ended the call instead.
    fn resume(&mut self, reply: Reply) -> Result<Event>;
    /// Gives up all calls in progress: no foreign code of the domain runs again, unless
    /// after a [`reset`](Self::reset).
    fn abandon(&mut self, cause: Cause);
    /// How the domain is isolated.
    fn isolation(&self) -> IsolationKind;
    /// Has the outermost calls up to [`end_operation`](Self::end_operation) be one: they
    /// have one time limit together, which begins anew with this call, and an interruption
    /// of one of them, or between them, ends the next one, too.
    ///
    /// The core asks for it between calls only, where the user's one call is several of
    /// foreign code: it and the destructors that wait for it. What foreign code runs on the
    /// way counts, however short it is.
    fn begin_operation(&mut self);
    /// Each outermost call is by itself again.
    fn end_operation(&mut self);
    /// Limits the foreign time of each outermost call; `None` for no limit.
    fn set_timeout(&mut self, limit: Option<Duration>);
    /// Brings the domain back to the state after loading: what its memory and registers
    /// held is gone, and no foreign code that ran before, in whatever state it is, runs
    /// again or can be told apart from code that never ran. Window, exchange area,
    /// shims and trampolines may lie elsewhere afterwards.
    ///
    /// The time limit and what foreign code may do stay as they are. Interrupt handles
    /// stay valid, and an interruption of an earlier call hits no later one.
    ///
    /// The core calls this between calls only, or after an error or `abandon`, and never
    /// uses an address of before again. A runtime need not have it: the default refuses.
    ///
    /// # Errors
    /// Whatever is in the way. No foreign code runs then until a later reset succeeds;
    /// the window stays.
    fn reset(&mut self) -> Result<()> {
        self.abandon(Cause::Reset);
        Err(Error::Unsupported {
            what: "this runtime cannot reset an instance",
            remedy: "build a new one",
        })
    }
    /// A handle to interrupt calls from other threads. It stays valid after a reset.
    fn interrupt_handle(&self) -> Self::InterruptHandle;
}
