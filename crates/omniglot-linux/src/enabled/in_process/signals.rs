//! The process's signal handlers: ours come first, and what is not for us goes on to the
//! handlers that were there before.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};

use omniglot_core::{Error, Result};

use super::gate::{omniglot_on_stack, places};
use super::threads::last_error;

/// What foreign code can raise.
pub(super) const FAULTS: [i32; 6] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP, libc::SIGSYS];

/// Makes a thread look whether its foreign call must stop. Ignored by default, so that one
/// that comes late does nothing, and hardly ever used for what it was made for.
pub(super) const KICK: i32 = libc::SIGURG;

const SIGNALS: usize = 65;

/// What handled each signal before.
static PREVIOUS: [AtomicPtr<libc::sigaction>; SIGNALS] =
    [const { AtomicPtr::new(null_mut()) }; SIGNALS];

/// Installs the handlers, once for the process and its children.
pub(super) fn install() -> Result<()> {
    static INSTALLED: Mutex<bool> = Mutex::new(false);
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if *installed {
        return Ok(());
    }
    for signal in FAULTS {
        handle(signal, None)?;
    }
    handle(KICK, None)?;
    wrap_others()?;
    *installed = true;
    Ok(())
}

/// Handlers of the host would run with a domain's FS base and without system calls.
fn wrap_others() -> Result<()> {
    let ours = |signal: &i32| !FAULTS.contains(signal) && *signal != KICK;
    for signal in (1..SIGNALS as i32).filter(ours) {
        let Some(action) = ask(signal) else {
            continue; // a number that the C library keeps to itself
        };
        if action.sa_sigaction != libc::SIG_DFL && action.sa_sigaction != libc::SIG_IGN {
            handle(signal, Some(&action))?;
        }
    }
    Ok(())
}

/// Puts our handler in the place of what there is; with the mask of `like`, else with all
/// signals blocked.
fn handle(signal: i32, like: Option<&libc::sigaction>) -> Result<()> {
    let previous = ask(signal)
        .ok_or(Error::System { operation: "looking at a signal handler", errno: last_error() })?;
    let slot = usize::try_from(signal).ok().and_then(|signal| PREVIOUS.get(signal));
    if let Some(slot) = slot {
        slot.store(Box::leak(Box::new(previous)), Ordering::Release);
    }
    let mut action = previous;
    action.sa_sigaction = places::signal();
    action.sa_flags = match like {
        Some(like) => like.sa_flags & (libc::SA_RESTART | libc::SA_NODEFER | libc::SA_NOCLDSTOP | libc::SA_NOCLDWAIT),
        None => libc::SA_RESTART,
    } | libc::SA_SIGINFO
        | libc::SA_ONSTACK;
    match like {
        // SAFETY: the set is a field of ours.
        None => unsafe { libc::sigfillset(&raw mut action.sa_mask) },
        // A kick waits until the handler is done, and is then not lost: it finds the thread
        // in the gate or in foreign code.
        // SAFETY: as above.
        Some(_) => unsafe { libc::sigaddset(&raw mut action.sa_mask, KICK) },
    };
    // SAFETY: the gate's signal code handles any signal, on any thread, at any instruction.
    match unsafe { libc::sigaction(signal, &raw const action, null_mut()) } {
        0 => Ok(()),
        _ => Err(Error::System { operation: "installing a signal handler", errno: last_error() }),
    }
}

fn ask(signal: i32) -> Option<libc::sigaction> {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: asks only.
    let asked = unsafe { libc::sigaction(signal, null_mut(), action.as_mut_ptr()) };
    // SAFETY: zeros are a value of the type, and the call wrote another.
    (asked == 0).then(|| unsafe { action.assume_init() })
}

/// Faults of foreign code must reach us: a blocked one ends the process.
pub(super) fn unblock() -> Result<()> {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: initialises the set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    for signal in FAULTS.into_iter().chain([KICK]) {
        // SAFETY: initialised above.
        unsafe { libc::sigaddset(set.as_mut_ptr(), signal) };
    }
    // SAFETY: initialised above.
    match unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, set.as_ptr(), null_mut()) } {
        0 => Ok(()),
        errno => Err(Error::System { operation: "unblocking signals", errno }),
    }
}

/// Sends a thread of this process the signal that has it look whether it must stop.
pub(super) fn kick(thread: u32) {
    let process = i64::from(std::process::id());
    // SAFETY: a signal of this process, which does nothing but make the thread look.
    unsafe { libc::syscall(libc::SYS_tgkill, process, i64::from(thread), KICK) };
}

/// Runs what handled the signal before. In a signal handler, with the host's FS base.
///
/// `stack` is where a handler runs that wants no alternate stack.
pub(super) fn pass_on(
    signal: i32,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
    stack: Option<usize>,
) {
    let slot = usize::try_from(signal).ok().and_then(|signal| PREVIOUS.get(signal));
    let previous = slot.map_or(null_mut(), |slot| slot.load(Ordering::Acquire));
    // SAFETY: null, or leaked by `handle`.
    let Some(previous) = (unsafe { previous.as_ref() }) else {
        return;
    };
    match previous.sa_sigaction {
        libc::SIG_IGN if is_sent(info) => {}
        libc::SIG_DFL if signal == KICK => {}
        libc::SIG_DFL | libc::SIG_IGN => end_by_default(signal, info),
        handler => {
            let wants_none = previous.sa_flags & libc::SA_ONSTACK == 0;
            run(signal, info, context, handler, stack.filter(|_| wants_none));
        }
    }
}

fn run(
    signal: i32,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
    handler: usize,
    stack: Option<usize>,
) {
    if let Some(stack) = stack {
        // SAFETY: a handler of the host, with what the kernel gave us; the stack below is
        // unused, since the thread was interrupted above it.
        unsafe { omniglot_on_stack(signal, info, context, handler, stack) };
        return;
    }
    type Handler = extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void);
    // SAFETY: the host installed it as a handler; one without SA_SIGINFO ignores what it
    // does not take.
    let handler = unsafe { std::mem::transmute::<usize, Handler>(handler) };
    handler(signal, info, context);
}

/// Whether somebody sent the signal, rather than an instruction raised it (sigaction(2)).
pub(super) fn is_sent(info: *mut libc::siginfo_t) -> bool {
    // SAFETY: the kernel's siginfo.
    let code = unsafe { (*info).si_code };
    code <= 0
}

/// What the signal does by default: the end of the process, for all that come here.
fn end_by_default(signal: i32, info: *mut libc::siginfo_t) {
    // SAFETY: the default needs no handler.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    if is_sent(info) {
        // Blocked until our handler returns.
        // SAFETY: sends this thread a signal.
        unsafe { libc::raise(signal) };
    }
    // Else the instruction that raised it runs, and raises it again.
}
