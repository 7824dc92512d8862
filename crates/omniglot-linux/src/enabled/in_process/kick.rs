//! Reaches the process's other threads: by a signal, or by a barrier.
#![allow(unsafe_code)]

use std::time::Duration;

use libc::c_int;

use crate::enabled::generation;
use crate::enabled::system::last_error;

/// Makes a thread check whether its foreign call must stop. Ignored by default, so that a late one
/// has no effect, and rarely used for its original purpose.
pub(super) const KICK: c_int = libc::SIGURG;

/// Sends a thread of this process the signal that makes it check whether it must stop; false if
/// there is no such thread any more.
pub(super) fn kick(thread: u32) -> bool {
    // Also if a child of `vfork` does that to its parent's thread.
    let process = i64::from(generation::process());
    // SAFETY: a signal for a thread of this process, which only makes that thread look
    // (invariants 7, 12).
    let sent = unsafe { libc::syscall(libc::SYS_tgkill, process, i64::from(thread), KICK) };
    sent == 0 || last_error() != libc::ESRCH
}

/// Makes all threads of the process pass a barrier: the caller then sees what they stored before,
/// and they see what the caller stored before (membarrier(2)).
///
/// With it, threads need no barrier whenever they enter foreign code.
pub(super) fn barrier() {
    const REGISTER: i64 = 1 << 4;
    const PRIVATE: i64 = 1 << 3;
    let (flags, processor) = (0i64, 0i64);
    // SAFETY: a barrier, or the permission to ask for one (invariant 12).
    let ask =
        |command: i64| unsafe { libc::syscall(libc::SYS_membarrier, command, flags, processor) };
    if ask(PRIVATE) == 0 || ask(REGISTER) == 0 && ask(PRIVATE) == 0 {
        return;
    }
    // If the kernel or a filter has none: a store is visible long before that.
    std::thread::sleep(Duration::from_millis(1));
}
