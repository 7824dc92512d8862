//! Probes what the kernel and the processor offer, without changing anything in this process. What may
//! end a process under a filter, a child tries.
#![allow(unsafe_code)]

#[cfg(target_env = "gnu")]
use std::ffi::CStr;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::thread;

use rustix::io;
use rustix::process::{PidfdFlags, getpid, pidfd_open};
use rustix::system::uname;
use syscalls::{Errno, Sysno, syscall};

use super::images;
use super::in_process::interposed::are_the_programs;
use super::in_process::places::lies_below_4_gib;
use super::landlock;
use super::machine;
use super::system::known_or;
use crate::capabilities::machine::{Kernel, KeyTrial, Machine, Mechanisms, MemfdExec};

/// `PR_SET_SYSCALL_USER_DISPATCH` and `PR_SYS_DISPATCH_OFF` of linux/prctl.h, Linux 5.11.
const USER_DISPATCH: usize = 59;
const DISPATCH_OFF: usize = 0;
/// `PR_GET_SECCOMP` of linux/prctl.h, and its answer for a process with filters.
const GET_SECCOMP: usize = 21;
const HAS_FILTER: usize = 2;
/// The stub's status for errors: this and the error's number.
const LOWEST_ERROR: u32 = 100;

/// Looks at this machine.
pub(crate) fn look() -> Machine {
    Machine {
        supported_target: true,
        processor: machine::processor(),
        kernel: kernel(),
        mechanisms: Mechanisms {
            memfd_exec: memfd_exec(),
            seccomp: Attempt::Filters.make() != Attempted::Refused,
            user_notification: Attempt::Notification.make() != Attempted::Refused,
            landlock: landlock_version(),
            pidfd: has_pidfd(),
            user_dispatch: has_user_dispatch(),
            keys: try_keys(),
            rseq: has_rseq(),
            proc: Path::new("/proc/self/exe").exists(),
            low_program: lies_below_4_gib(),
            interposed: are_the_programs(),
            in_process: cfg!(in_process),
            libc: libc_version(),
            sealed_clock: is_clock_sealed(),
        },
    }
}

/// The two numbers of glibc's version.
#[cfg(target_env = "gnu")]
fn libc_version() -> (u32, u32) {
    // SAFETY: has no preconditions (gnu_get_libc_version(3); invariant 15).
    let version = unsafe { libc::gnu_get_libc_version() };
    // SAFETY: a text that ends with a NUL, and stays (invariant 15).
    let version = unsafe { CStr::from_ptr(version) }.to_string_lossy();
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// The program is linked against another C library.
#[cfg(not(target_env = "gnu"))]
const fn libc_version() -> (u32, u32) {
    (0, 0)
}

/// Whether the kernel's pages with the clock have the flag `sl` (proc_pid_smaps(5)), which means
/// that they can be neither unmapped nor changed (mseal(2)).
fn is_clock_sealed() -> bool {
    let maps = fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    is_sealed(&maps, "[vvar]")
}

fn is_sealed(maps: &str, name: &str) -> bool {
    let mut lines = maps.lines().skip_while(|line| !line.ends_with(name)).skip(1);
    let flags = lines.find_map(|line| line.strip_prefix("VmFlags:"));
    flags.is_some_and(|flags| flags.split_whitespace().any(|flag| flag == "sl"))
}

/// The kernel's release, also without `/proc` (uname(2)).
fn kernel() -> Kernel {
    let release = uname().release().to_string_lossy().into_owned();
    let mut numbers = release.split(|character: char| !character.is_ascii_digit());
    let mut next = || numbers.next().and_then(|number| number.parse().ok()).unwrap_or(0);
    let (version, patch) = ((next(), next()), next());
    Kernel { release, version, patch }
}

fn memfd_exec() -> MemfdExec {
    // Kernels without the file allow it.
    let setting = fs::read_to_string("/proc/sys/vm/memfd_noexec").unwrap_or_default();
    match setting.trim() {
        "1" => MemfdExec::OnRequest,
        "2" => MemfdExec::Forbidden,
        _ => MemfdExec::Allowed,
    }
}

/// The version of Landlock's interface. Every start asks for it.
pub(super) fn landlock_version() -> Option<u32> {
    static FILTERED: OnceLock<Option<u32>> = OnceLock::new();
    if !is_filtered() {
        return landlock::version();
    }
    known_or(&FILTERED, || match Attempt::Landlock.make() {
        Attempted::Result(version) => Some(version),
        Attempted::Refused | Attempted::Unknown => None,
    })
}

/// What a child found out about choosing processors, under the filters that there were.
static MAY_SET_AFFINITY: OnceLock<bool> = OnceLock::new();

/// Whether this process may choose processors for its threads and workers. Every start asks.
pub(super) fn may_set_affinity() -> bool {
    let attempt = || Attempt::Affinity.make() == Attempted::Result(0);
    !is_filtered() || known_or(&MAY_SET_AFFINITY, attempt)
}

/// The same in the middle of a call, where no child is started. A host may have put the first filter on
/// itself after the start; then nobody knows, and the answer is no.
pub(super) fn may_still_set_affinity() -> bool {
    !is_filtered() || MAY_SET_AFFINITY.get() == Some(&true)
}

/// Whether filters of system calls apply to this process. It then makes no calls that they may not
/// know, since they may end it for those.
fn is_filtered() -> bool {
    // SAFETY: asks for a number, and takes no memory (PR_GET_SECCOMP(2const); invariant 12).
    let mode = unsafe { syscall!(Sysno::prctl, GET_SECCOMP, 0, 0, 0, 0) };
    mode == Ok(HAS_FILTER)
}

/// A system call that a child makes for this process: workers are not watched by whoever watches the
/// host, such as valgrind, which does not know all calls. The letter is what the stub calls it
/// (`worker/stub/probe.c`).
#[derive(Clone, Copy)]
enum Attempt {
    Landlock = b'l' as isize,
    Filters = b's' as isize,
    Notification = b'n' as isize,
    Key = b'k' as isize,
    Affinity = b'a' as isize,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempted {
    Result(u32),
    /// With an error, or by the end of the child.
    Refused,
    /// The child did not start, or somebody else took its status.
    Unknown,
}

impl Attempt {
    fn make(self) -> Attempted {
        let Ok(programs) = images::programs() else { return Attempted::Unknown };
        // The stub reads and writes nothing.
        let mut command = Command::new(images::path_of(&programs.stub));
        command.arg(char::from(self as u8).to_string()).env_clear();
        let Ok(status) = command.status() else { return Attempted::Unknown };
        match status.code().map(u32::try_from) {
            Some(Ok(code)) if code < LOWEST_ERROR => Attempted::Result(code),
            _ => Attempted::Refused,
        }
    }
}

/// Whether this process may have a descriptor of itself, and so of others; that it has no room for one
/// now says nothing.
fn has_pidfd() -> bool {
    let own = pidfd_open(getpid(), PidfdFlags::empty());
    !matches!(own, Err(io::Errno::NOSYS | io::Errno::PERM | io::Errno::ACCESS))
}

/// Switches the dispatch off where it is off anyway: on a new thread, which inherits none.
fn has_user_dispatch() -> bool {
    let switch_off = || {
        // SAFETY: switching off takes no memory, and concerns this thread only
        // (PR_SET_SYSCALL_USER_DISPATCH(2const); invariant 12).
        unsafe { syscall!(Sysno::prctl, USER_DISPATCH, DISPATCH_OFF, 0, 0, 0) }.is_ok()
    };
    let asking = thread::Builder::new().name("omniglot-probe".to_owned()).spawn(switch_off);
    asking.is_ok_and(|thread| thread.join().unwrap_or(false))
}

/// Allocates a key and frees it.
fn try_keys() -> KeyTrial {
    if is_filtered() {
        return match Attempt::Key.make() {
            Attempted::Result(_) => KeyTrial::Allocated,
            Attempted::Refused | Attempted::Unknown => KeyTrial::None,
        };
    }
    // SAFETY: a new key is attached to no memory; rights to it, all of them, are given to this
    // thread only (pkeys(7); invariant 12).
    match unsafe { syscall!(Sysno::pkey_alloc, 0, 0) } {
        Ok(key) => {
            // SAFETY: the key was allocated just now, and no memory has it (invariant 12).
            let _ = unsafe { syscall!(Sysno::pkey_free, key) };
            KeyTrial::Allocated
        }
        // A kernel without keys returns the same error, so the processor has to be asked.
        Err(Errno::ENOSPC) if machine::processor().ospke => KeyTrial::AllInUse,
        Err(_) => KeyTrial::None,
    }
}

/// Registering with a wrong length is refused with another error than a call that does not exist.
fn has_rseq() -> bool {
    // SAFETY: a length of 0 is refused before any memory is looked at (rseq(2); invariant 12).
    let refused = unsafe { syscall!(Sysno::rseq, 0, 0, 0, 0) };
    !matches!(refused, Err(Errno::ENOSYS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_pages_are_told_from_their_neighbours() {
        let pages = |name: &str, flags: &str| {
            format!(
                "7f0000000000-7f0000001000 r--p 00000000 00:00 0   {name}\nSize: 4 kB\nVmFlags: {flags}\n"
            )
        };
        let maps = pages("[vvar]", "rd mr de") + &pages("[vdso]", "rd ex sl");
        assert!(!is_sealed(&maps, "[vvar]"));
        let maps = pages("/lib/libc.so.6", "rd mr") + &pages("[vvar]", "rd mr de sl");
        assert!(is_sealed(&maps, "[vvar]"));
        assert!(!is_sealed("", "[vvar]"));
    }

    #[test]
    fn libc_and_processor_say_who_they_are() {
        assert!(libc_version() >= (2, 31), "{:?}", libc_version());
        assert_ne!(machine::processor().name, "");
    }
}
