//! Error numbers of the operating system as errors of the runtime.

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
