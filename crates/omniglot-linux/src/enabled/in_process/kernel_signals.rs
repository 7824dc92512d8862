//! The C library's own signals (signal(7)), of which its `sigaction` knows nothing: 32, which
//! `pthread_cancel` sends, and 33, by which `setuid` and its like reach all threads.
//!
//! Its handlers for them run on the stack that the thread has, and make system calls. So ours
//! come first, as for all others, by the system call itself. The C library sets each handler
//! once, when it first needs one; it is made to do that before.
#![allow(unsafe_code)]

use std::os::unix::thread::JoinHandleExt;
use std::ptr::null_mut;
use std::sync::mpsc::channel;
use std::thread;

use libc::c_int;
use omniglot_core::{Error, Result};
use syscalls::{Sysno, syscall};

use crate::enabled::system::failed;

/// Their numbers.
pub(super) const INTERNAL: [c_int; 2] = [32, 33];

/// `SA_RESTORER` of asm/signal.h: the handler returns to the C library's code, which is named.
const RESTORER: u64 = 0x0400_0000;

/// `struct sigaction` of asm/signal.h, which the C library's is made into.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KernelAction {
    pub(super) handler: usize,
    pub(super) flags: u64,
    restorer: usize,
    pub(super) mask: u64,
}

unsafe extern "C" {
    fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
}

/// `PTHREAD_CANCEL_DISABLE` of pthread.h.
const DISABLED: c_int = 1;

/// Has the calling thread not be cancelled: its frames, and those of a call into foreign code,
/// are none that can be given up so. A cancellation waits for ever.
pub(super) fn forbid_cancellation() {
    // SAFETY: a setting of the calling thread; null for what it was is allowed (invariant 12).
    unsafe { pthread_setcancelstate(DISABLED, null_mut()) };
}

/// Has the C library set its handlers, unless it has: by starting a thread, and by cancelling that,
/// which does not let that happen.
///
/// # Errors
/// If there can be no thread.
pub(super) fn have_made() -> Result<()> {
    if !has_unwinder() {
        return Ok(()); // then nobody can cancel a thread: the C library ends the process
    }
    let (ready, is_ready) = channel();
    let (done, is_done) = channel::<()>();
    let thread = thread::Builder::new()
        .name("omniglot-signals".to_owned())
        .spawn(move || {
            forbid_cancellation();
            let _ = ready.send(());
            let _ = is_done.recv();
        })
        .map_err(failed("starting a thread"))?;
    if is_ready.recv().is_ok() {
        // SAFETY: a thread of ours that lives, since it waits (invariant 12).
        unsafe { libc::pthread_cancel(thread.as_pthread_t()) };
    }
    drop(done);
    thread.join().map_err(|_| Error::System { operation: "starting a thread", errno: 0 })
}

/// Whether there is the library that the C library needs for cancelling: it is opened, as the C
/// library would, and stays.
fn has_unwinder() -> bool {
    // SAFETY: the name ends with a NUL (invariant 12); the compiler's own library, which most
    // programs have loaded.
    let handle = unsafe { libc::dlopen(c"libgcc_s.so.1".as_ptr(), libc::RTLD_NOW) };
    !handle.is_null()
}

/// What the kernel does at a signal.
pub(super) fn ask(signal: c_int) -> Result<KernelAction> {
    let mut action = KernelAction::default();
    exchange(signal, std::ptr::null(), &raw mut action)?;
    Ok(action)
}

/// Has the kernel call another handler instead, with these flags and all signals blocked. It
/// returns by the same code of the C library.
pub(super) fn put(signal: c_int, before: &KernelAction, handler: usize, flags: u64) -> Result<()> {
    let flags = flags | RESTORER;
    let action = KernelAction { handler, flags, mask: u64::MAX, ..*before };
    exchange(signal, &raw const action, null_mut())
}

fn exchange(signal: c_int, new: *const KernelAction, old: *mut KernelAction) -> Result<()> {
    // SAFETY: null or an action to read, and null or room for one; handlers are the C library's
    // or the gate's, which do what handlers may (invariants 7, 12; rt_sigaction(2)).
    unsafe { syscall!(Sysno::rt_sigaction, signal, new, old, size_of::<u64>()) }
        .map(drop)
        .map_err(|errno| Error::System { operation: "a signal handler", errno: errno.into_raw() })
}
