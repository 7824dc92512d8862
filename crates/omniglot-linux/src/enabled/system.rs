//! The operating system's error numbers as errors of the runtime, its number of a thread, and what is
//! found out about it once.

use std::sync::OnceLock;

use omniglot_core::Error;
use rustix::io::Errno;

/// Turns an error number into an error that says what was tried.
pub(super) fn refused(operation: &'static str) -> impl Fn(Errno) -> Error {
    move |errno| Error::System { operation, errno: errno.raw_os_error() }
}

/// The same for errors of the standard library.
pub(super) fn failed(operation: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |error| Error::System { operation, errno: error.raw_os_error().unwrap_or(0) }
}

/// The error number of the calling thread's last call of the C library that failed.
pub(super) fn last_error() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// What is known, or else what is found out now. Several threads may do that at once: nobody waits for
/// another one, which a forked child would not have.
pub(super) fn known_or<T: Copy>(known: &OnceLock<T>, find: impl FnOnce() -> T) -> T {
    if let Some(value) = known.get() {
        return *value;
    }
    let value = find();
    *known.get_or_init(|| value)
}

/// The kernel's number of the calling thread.
pub(super) fn own_number() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs()
}
