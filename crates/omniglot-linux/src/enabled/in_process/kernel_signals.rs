//! The C library's own signals (signal(7)), which its `sigaction` refuses: 32, which
//! `pthread_cancel` sends, and 33, by which `setuid` and similar functions reach all threads.
//!
//! Its handlers for them run on the thread's current stack, and make system calls. So ours are
//! called first, as for all other signals; they are installed by the system call itself. The C
//! library installs each handler once, when it first needs one; it is made to do that before.
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

/// Disables cancellation of the calling thread, since cancellation cannot unwind its frames and
/// those of a call into foreign code. A cancellation stays pending for ever.
pub(super) fn forbid_cancellation() {
    // SAFETY: a setting of the calling thread; null for what it was is allowed (invariant 12).
    unsafe { pthread_setcancelstate(DISABLED, null_mut()) };
}

/// Makes the C library install its handlers, unless it has: by starting a thread, and by cancelling
/// it, which the thread has disabled.
///
/// # Errors
/// If no thread can be started.
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

/// Whether the library exists that the C library needs for cancelling: it is opened, as the C
/// library would, and stays loaded.
fn has_unwinder() -> bool {
    // SAFETY: the name ends with a NUL (invariant 12); the compiler's own library, which most
    // programs have loaded.
    let handle = unsafe { libc::dlopen(c"libgcc_s.so.1".as_ptr(), libc::RTLD_NOW) };
    !handle.is_null()
}

/// The kernel's action for a signal.
pub(super) fn ask(signal: c_int) -> Result<KernelAction> {
    let mut action = KernelAction::default();
    exchange(signal, std::ptr::null(), &raw mut action)?;
    Ok(action)
}

/// Makes the kernel call another handler instead, with these flags and all signals blocked. It
/// returns through the same code of the C library.
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
