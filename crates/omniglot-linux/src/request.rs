//! What a library asked for and did not get.

use omniglot_core::Text;

/// A request of a library that was answered with an error.
///
/// It comes from the library's own domain: a hint, not evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// The system call, such as `openat`.
    pub system_call: &'static str,
    /// The path that was named, cut after 115 bytes; empty where there was none.
    pub path: Text,
    /// The error number that was the answer, such as 2 for `ENOENT`.
    pub error: i32,
    /// How often it was requested.
    pub count: u32,
}
