//! The process's signal handlers: ours run first, and call the host's handlers for what is not for
//! us.
//!
//! A handler of the host that interrupted foreign code would run with a domain's FS base and
//! without system calls. So ours calls every handler: those that exist when the first domain
//! starts, and those that are installed later, since this module defines `sigaction` and `signal`
//! for the whole program. The host sees its own handlers, as it set them.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use libc::{c_int, sighandler_t};
use omniglot_core::{Error, Result};

use super::alternate_stack;
use super::frame::{KernelContext, SignalFrame};
use super::kernel_signals;
use super::kick::KICK;
use super::masks::{FAULTS, bit, first_word, set_first_word, set_mask, with_all_blocked};
use super::places::{self, omniglot_on_stack};
use crate::enabled::generation::{self, PerProcess};
use crate::enabled::system::last_error;

const SIGNALS: usize = 65;

/// The flags of a host's handler that ours takes over.
const KEPT: c_int = libc::SA_RESTART | libc::SA_NOCLDSTOP | libc::SA_NOCLDWAIT;

/// The host's action for a signal. Signal handlers read it, so there is no lock: if a handler is
/// changed while it is called, the old or the new one runs.
struct HostAction {
    handler: AtomicUsize,
    flags: AtomicI32,
    mask: AtomicU64,
}

static HOST_ACTIONS: [HostAction; SIGNALS] = [const {
    HostAction { handler: AtomicUsize::new(0), flags: AtomicI32::new(0), mask: AtomicU64::new(0) }
}; SIGNALS];

/// The stage of the installation.
static STAGE: AtomicU8 = AtomicU8::new(NOT_INSTALLED);
const NOT_INSTALLED: u8 = 0;
const BEING_INSTALLED: u8 = 1;
const INSTALLED: u8 = 2;

/// How many threads are about to change a handler by themselves, since they found
/// [`NOT_INSTALLED`].
static UNAWARE: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" {
    /// The C library's own `sigaction`, by its other name.
    #[link_name = "__sigaction"]
    fn kernel_sigaction(
        signal: c_int,
        new: *const libc::sigaction,
        old: *mut libc::sigaction,
    ) -> c_int;
}

impl HostAction {
    fn of(signal: c_int) -> Option<&'static Self> {
        usize::try_from(signal).ok().and_then(|signal| HOST_ACTIONS.get(signal))
    }

    fn store(&self, action: &libc::sigaction) {
        self.store_parts(action.sa_sigaction, action.sa_flags, first_word(&action.sa_mask));
    }

    fn store_parts(&self, handler: usize, flags: c_int, mask: u64) {
        self.flags.store(flags, Ordering::Relaxed);
        self.mask.store(mask, Ordering::Relaxed);
        self.handler.store(handler, Ordering::Release);
    }

    /// The handler to call now: a function, `SIG_DFL` or `SIG_IGN`. One with `SA_RESETHAND` is
    /// called once (sigaction(2)).
    fn take(&self, signal: c_int) -> usize {
        loop {
            let handler = self.handler.load(Ordering::Acquire);
            let is_for_once = self.flags.load(Ordering::Relaxed) & libc::SA_RESETHAND != 0;
            if !is_for_once || matches!(handler, libc::SIG_DFL | libc::SIG_IGN) {
                return handler;
            }
            // Another thread that gets the signal may be doing the same, or change the handler.
            let taken = self.handler.compare_exchange(
                handler,
                libc::SIG_DFL,
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
            if taken.is_ok() {
                self.forget(signal);
                return handler;
            }
        }
    }

    /// Restores the kernel's default action, unless there is a handler again.
    fn forget(&self, signal: c_int) {
        if is_ours(signal) {
            return;
        }
        default_action(signal);
        let now = self.load();
        if is_function(&now) {
            // Unchanged otherwise; a handler cannot report an error.
            let _ = handle(signal, &now);
        }
    }

    fn load(&self) -> libc::sigaction {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed();
        let start = action.as_mut_ptr();
        // SAFETY: zeros are a value of the type (invariant 12).
        let action = unsafe { &mut *start };
        action.sa_sigaction = self.handler.load(Ordering::Acquire);
        action.sa_flags = self.flags.load(Ordering::Relaxed);
        set_first_word(&mut action.sa_mask, self.mask.load(Ordering::Relaxed));
        *action
    }
}

/// Installs the handlers, once for the process and its children. Other threads that change a
/// handler meanwhile wait, so that none is lost, or stays without ours before it.
pub(super) fn install() -> Result<()> {
    static ONE_AT_A_TIME: PerProcess<Mutex<()>> = PerProcess::new();
    let _lock = ONE_AT_A_TIME.get()?.lock().unwrap_or_else(PoisonError::into_inner);
    if STAGE.load(Ordering::Acquire) == INSTALLED {
        return Ok(());
    }
    kernel_signals::have_made()?;
    // No handler on this thread may wait for the installation.
    with_all_blocked(|| {
        STAGE.store(BEING_INSTALLED, Ordering::SeqCst);
        wait_until(|| UNAWARE.load(Ordering::SeqCst) == 0);
        let outcome = install_all();
        let reached = if outcome.is_ok() { INSTALLED } else { NOT_INSTALLED };
        STAGE.store(reached, Ordering::SeqCst);
        outcome
    })
}

fn install_all() -> Result<()> {
    for signal in (1..SIGNALS as c_int).filter(|signal| !cannot_be_handled(*signal)) {
        let Some(action) = ask(signal) else {
            continue; // a number that the C library keeps to itself, below
        };
        if action.sa_sigaction == places::signal() {
            continue; // ours, since an earlier time that failed
        }
        if let Some(wanted) = HostAction::of(signal) {
            wanted.store(&action);
        }
        if is_ours(signal) || is_function(&action) {
            handle(signal, &action)?;
        }
    }
    kernel_signals::INTERNAL.into_iter().try_for_each(install_internal)
}

/// The same for a signal of the C library's own.
fn install_internal(signal: c_int) -> Result<()> {
    let action = kernel_signals::ask(signal)?;
    let is_none = matches!(action.handler, libc::SIG_DFL | libc::SIG_IGN);
    if is_none || action.handler == places::signal() {
        return Ok(()); // not used at all, or ours since an earlier time that failed
    }
    if let Some(wanted) = HostAction::of(signal) {
        wanted.store_parts(action.handler, action.flags as c_int, action.mask);
    }
    let kept = action.flags as c_int & KEPT;
    let flags = libc::SA_SIGINFO | libc::SA_ONSTACK | kept;
    kernel_signals::put(signal, &action, places::signal(), u64::from(flags.cast_unsigned()))
}

/// The functions that this module defines for the program.
pub(super) fn interposed() -> [(&'static CStr, *const ()); 2] {
    [(c"sigaction", sigaction as *const ()), (c"signal", signal as *const ())]
}

/// Whether ours are installed, so that `change` must be recorded; otherwise `change` is made.
fn change_unless_installed(change: impl FnOnce() -> c_int) -> Option<c_int> {
    // While this is counted, no thread begins to install.
    UNAWARE.fetch_add(1, Ordering::SeqCst);
    let is_unaware = STAGE.load(Ordering::SeqCst) == NOT_INSTALLED;
    let result = is_unaware.then(change);
    UNAWARE.fetch_sub(1, Ordering::SeqCst);
    if result.is_none() {
        wait_until(|| STAGE.load(Ordering::SeqCst) != BEING_INSTALLED);
    }
    result
}

/// Waits for what another thread does in microseconds; not for ever, since a forked child has no
/// other thread.
fn wait_until(is_done: impl Fn() -> bool) {
    const PATIENCE: u32 = 100_000;
    for _ in 0..PATIENCE {
        if is_done() {
            return;
        }
        // SAFETY: lets others run (invariant 12).
        unsafe { libc::sched_yield() };
    }
}

const fn cannot_be_handled(signal: c_int) -> bool {
    matches!(signal, libc::SIGKILL | libc::SIGSTOP)
}

fn is_ours(signal: c_int) -> bool {
    FAULTS.contains(&signal) || signal == KICK
}

const fn is_function(action: &libc::sigaction) -> bool {
    action.sa_sigaction != libc::SIG_DFL && action.sa_sigaction != libc::SIG_IGN
}

/// Makes the gate's signal code handle a signal, with the host's other settings for it.
fn handle(signal: c_int, wanted: &libc::sigaction) -> Result<()> {
    let mut action = *wanted;
    action.sa_sigaction = places::signal();
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // Nothing interrupts ours, not even the C library's own signals, which its `sigfillset` leaves
    // out; a handler of the host runs with the mask that it asked for.
    set_first_word(&mut action.sa_mask, u64::MAX);
    action.sa_flags |= if is_ours(signal) { libc::SA_RESTART } else { wanted.sa_flags & KEPT };
    // SAFETY: the action is a local variable (invariant 12); the gate's signal code handles any
    // signal, on any thread, at any instruction (invariant 7).
    match unsafe { kernel_sigaction(signal, &raw const action, null_mut()) } {
        0 => Ok(()),
        _ => Err(Error::System { operation: "installing a signal handler", errno: last_error() }),
    }
}

fn ask(signal: c_int) -> Option<libc::sigaction> {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: asks only, into a local variable (invariant 12).
    let asked = unsafe { kernel_sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: zeros are a value of the type, and the call wrote another (invariant 12).
    (asked == 0).then(|| unsafe { action.assume_init() })
}

/// sigaction(2), for the whole program.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn sigaction(
    signal: c_int,
    new: *const libc::sigaction,
    old: *mut libc::sigaction,
) -> c_int {
    // SAFETY: what the caller promises of the C library's function (invariant 14).
    let unaware = || unsafe { kernel_sigaction(signal, new, old) };
    let Some(wanted) = HostAction::of(signal).filter(|_| !cannot_be_handled(signal)) else {
        return unaware();
    };
    if generation::is_in_parents_memory() {
        // The records here are the parent's; a child in its parent's memory leaves its own handlers
        // to the kernel.
        return unaware();
    }
    if let Some(result) = change_unless_installed(unaware) {
        return result;
    }
    let before = wanted.load();
    // SAFETY: null or an action, as the caller promises (invariant 14).
    if let Some(new) = unsafe { new.as_ref() } {
        let failed = set(signal, wanted, new);
        if failed != 0 {
            return failed;
        }
    }
    // SAFETY: null or room for an action, as the caller promises (invariant 14).
    if let Some(old) = unsafe { old.as_mut() } {
        *old = before;
    }
    0
}

fn set(signal: c_int, wanted: &HostAction, new: &libc::sigaction) -> c_int {
    if is_ours(signal) {
        wanted.store(new);
        return 0;
    }
    if !is_function(new) {
        // SAFETY: the caller's action, which names no handler (invariant 12).
        let result = unsafe { kernel_sigaction(signal, std::ptr::from_ref(new), null_mut()) };
        if result == 0 {
            wanted.store(new);
        }
        return result;
    }
    // Before ours is installed, which calls it.
    wanted.store(new);
    if handle(signal, new).is_ok() { 0 } else { -1 }
}

/// signal(2) with the C library's (BSD's) meaning, for the whole program.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn signal(number: c_int, handler: sighandler_t) -> sighandler_t {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    let start = action.as_mut_ptr();
    // SAFETY: zeros are a value of the type (invariant 12).
    let action = unsafe { &mut *start };
    action.sa_sigaction = handler;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the set is a field of a local variable (invariant 12).
    unsafe { libc::sigaddset(&raw mut action.sa_mask, number) };
    let mut old = *action;
    // SAFETY: what the caller promises of the C library's function (invariant 14).
    match unsafe { sigaction(number, action, &raw mut old) } {
        0 => old.sa_sigaction,
        _ => libc::SIG_ERR,
    }
}

/// Handles a signal according to the host's action. Runs in a signal handler, with the host's FS
/// base.
///
/// `stack` is where a handler runs that wants no alternate stack, if we are on one.
pub(super) fn pass_on(frame: &mut SignalFrame<'_>, stack: Option<usize>) {
    let Some(wanted) = HostAction::of(frame.signal) else {
        return;
    };
    let is_default =
        matches!(wanted.handler.load(Ordering::Acquire), libc::SIG_DFL | libc::SIG_IGN);
    let wants_none = !is_default && wanted.flags.load(Ordering::Relaxed) & libc::SA_ONSTACK == 0;
    match stack.filter(|_| wants_none) {
        Some(stack) => {
            let (signal, info, context) = frame.arguments();
            // SAFETY: `run_elsewhere` takes these, which are the kernel's (invariant 11); the stack
            // below is unused, since the thread was interrupted above it.
            unsafe { omniglot_on_stack(signal, info, context, run_elsewhere, stack) };
        }
        None => run(frame),
    }
}

/// Runs a handler of the host on another stack than the alternate one, on which the kernel would
/// put the next frame over the current one. `rt_sigreturn` restores it.
///
/// # Safety
/// As [`SignalFrame::new`].
unsafe extern "C" fn run_elsewhere(
    signal: c_int,
    info: *mut libc::siginfo_t,
    context: *mut KernelContext,
) {
    alternate_stack::disarm();
    // SAFETY: the kernel's arguments, which `pass_on` passes on, and does not use meanwhile
    // (invariant 11).
    run(&mut unsafe { SignalFrame::new((signal, info, context)) });
}

/// Handles a signal according to the host's current action.
fn run(frame: &mut SignalFrame<'_>) {
    let Some(wanted) = HostAction::of(frame.signal) else {
        return;
    };
    match wanted.take(frame.signal) {
        libc::SIG_IGN if frame.is_sent() => {}
        libc::SIG_DFL if frame.signal == KICK => {}
        libc::SIG_DFL | libc::SIG_IGN => end_by_default(frame),
        handler => run_handler(handler, wanted, frame),
    }
}

/// Runs a handler of the host with the signals blocked that it wants blocked.
fn run_handler(handler: usize, wanted: &HostAction, frame: &mut SignalFrame<'_>) {
    let itself = match wanted.flags.load(Ordering::Relaxed) & libc::SA_NODEFER {
        0 => bit(frame.signal),
        _ => 0,
    };
    // An interruption waits until the handler returns, and is not lost: it then finds the thread in
    // the gate or in foreign code.
    set_mask(frame.mask() | wanted.mask.load(Ordering::Relaxed) | itself | bit(KICK));
    type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut KernelContext);
    // SAFETY: the host installed it as a handler, as the caller of `sigaction` promised
    // (invariant 14); one without SA_SIGINFO ignores what it does not take.
    let handler = unsafe { std::mem::transmute::<usize, Handler>(handler) };
    let (signal, info, context) = frame.arguments();
    handler(signal, info, context);
    set_mask(u64::MAX);
}

/// The signal's default action: the end of the process, for all signals that reach this.
fn end_by_default(frame: &SignalFrame<'_>) {
    default_action(frame.signal);
    if frame.is_sent() {
        // Blocked until our handler returns.
        // SAFETY: sends this thread a signal (invariant 12).
        unsafe { libc::raise(frame.signal) };
    }
    // Otherwise the instruction that raised it runs, and raises it again.
}

fn default_action(signal: c_int) {
    let action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: zeros are the default action, which needs no handler (invariant 12).
    unsafe { kernel_sigaction(signal, action.as_ptr(), null_mut()) };
}
