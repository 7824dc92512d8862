//! Writes foreign code's text to the host's standard error.
//!
//! A signal handler does this, with all signals blocked, so nothing here blocks for longer than a
//! moment, whatever the reader does. If there is no room, foreign code repeats its call, and
//! signals for the thread are handled first. One call writes a bounded number of bytes. Which kind
//! of file standard error is, and whether it is the host's, is checked each time, since the host
//! may change it at any time.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::mem::MaybeUninit;

use crate::enabled::system::last_error;

/// The most bytes and pieces of one call; callers repeat with the rest.
pub(super) const MOST_BYTES: usize = 64 << 10;
pub(super) const MOST_PIECES: usize = 16;
/// How long one call waits for room.
const MOMENT: libc::c_int = 1;

const STDERR: libc::c_int = 2;
const OWN: &CStr = c"/proc/self/fd/2";

/// Writes the pieces, all in the domain's memory; returns the kernel's result, or `None` if there
/// is no room now.
pub(super) fn write(pieces: &[libc::iovec]) -> Option<i64> {
    if !is_inherited() {
        // Any file of the host's may have that number; a worker's text is discarded in that case,
        // too.
        return Some(pieces.iter().map(|piece| piece.iov_len as i64).sum());
    }
    match kind() {
        libc::S_IFSOCK => send(pieces),
        libc::S_IFIFO | libc::S_IFCHR => write_apart(pieces),
        _ => outcome(without_signal(LIMIT, || write_to(STDERR, pieces))),
    }
}

/// Returns true if it is the file that the host was started with, or that it deliberately put
/// there.
fn is_inherited() -> bool {
    // SAFETY: only asks (invariants 7, 12).
    let flags = unsafe { libc::fcntl(STDERR, libc::F_GETFD) };
    flags >= 0 && flags & libc::FD_CLOEXEC == 0
}

fn kind() -> libc::mode_t {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the call fills in a local variable (invariants 7, 12).
    if unsafe { libc::fstat(STDERR, status.as_mut_ptr()) } != 0 {
        return 0; // then writing says what is wrong
    }
    // SAFETY: the call filled it in (invariant 12).
    unsafe { status.assume_init() }.st_mode & libc::S_IFMT
}

fn send(pieces: &[libc::iovec]) -> Option<i64> {
    // SAFETY: zeros are a message without address and data (invariant 12).
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = pieces.as_ptr().cast_mut();
    message.msg_iovlen = pieces.len();
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: memory of the domain, where no Rust object lies (invariant 2); the kernel reads it,
    // and fails where it cannot (invariant 12).
    let sent = unsafe { libc::sendmsg(STDERR, &raw const message, flags) };
    or_wait(STDERR, sent)
}

/// Writes through a file description of our own, which does not block. The host's is shared with
/// others, so its flags must not be changed, and another writer may fill the room at any moment.
///
/// If the kernel does not let us open it, as for a terminal of another user, writing fails.
fn write_apart(pieces: &[libc::iovec]) -> Option<i64> {
    let flags = libc::O_WRONLY | libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: the text ends with a NUL (invariant 12).
    let file = unsafe { libc::open(OWN.as_ptr(), flags) };
    if file < 0 {
        return Some(-i64::from(last_error()));
    }
    let result = or_wait(file, without_signal(BROKEN_PIPE, || write_to(file, pieces)));
    // SAFETY: opened above, and known to nobody else (invariant 12).
    unsafe { libc::close(file) };
    result
}

fn write_to(file: libc::c_int, pieces: &[libc::iovec]) -> isize {
    // SAFETY: memory of the domain, where no Rust object lies (invariant 2); the kernel reads it,
    // and fails where it cannot (invariant 12).
    unsafe { libc::writev(file, pieces.as_ptr(), pieces.len() as libc::c_int) }
}

/// The result; if there was no room, waits a moment for some.
fn or_wait(file: libc::c_int, result: isize) -> Option<i64> {
    if result >= 0 || last_error() != libc::EAGAIN {
        return outcome(result);
    }
    let mut room = libc::pollfd { fd: file, events: libc::POLLOUT, revents: 0 };
    // SAFETY: the call fills in a local variable (invariants 7, 12).
    unsafe { libc::poll(&raw mut room, 1, MOMENT) };
    None
}

/// The result in the kernel's convention: libc returns -1 and sets errno.
fn outcome(result: isize) -> Option<i64> {
    Some(if result < 0 { -i64::from(last_error()) } else { result as i64 })
}

/// A signal that a failing write sends to its thread, and the error that comes with it.
type Brought = (libc::c_int, libc::c_int);

/// The pipe has no reader.
const BROKEN_PIPE: Brought = (libc::SIGPIPE, libc::EPIPE);
/// A file would become larger than the process's limit (`RLIMIT_FSIZE`).
const LIMIT: Brought = (libc::SIGXFSZ, libc::EFBIG);

/// Consumes the signal that a write raised: signals are blocked here, so it is pending.
fn without_signal((signal, error): Brought, write: impl FnOnce() -> isize) -> isize {
    let was_there = is_pending(signal);
    let result = write();
    if result < 0 && last_error() == error && !was_there {
        take(signal);
        // SAFETY: has no preconditions (invariant 15).
        let number = unsafe { libc::__errno_location() };
        // SAFETY: this thread's errno, at which the caller looks (invariant 15).
        unsafe { number.write(error) };
    }
    result
}

fn empty_set() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the call fills in a local variable (invariants 7, 12).
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: zeroed, and filled in by the call (invariant 12).
    unsafe { set.assume_init() }
}

fn is_pending(signal: libc::c_int) -> bool {
    let mut pending = empty_set();
    // SAFETY: the call fills in a local variable (invariants 7, 12).
    unsafe { libc::sigpending(&raw mut pending) };
    // SAFETY: as above (invariants 7, 12).
    unsafe { libc::sigismember(&raw const pending, signal) == 1 }
}

fn take(signal: libc::c_int) {
    let mut set = empty_set();
    // SAFETY: the call fills in a local variable (invariants 7, 12).
    unsafe { libc::sigaddset(&raw mut set, signal) };
    let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: as above; a null pointer for the details is allowed (invariants 7, 12).
    unsafe { libc::sigtimedwait(&raw const set, std::ptr::null_mut(), &raw const now) };
}
