//! The policy for the system calls that foreign code makes.

/// What the filter does with a system call in a worker that serves calls.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyscallPolicy {
    /// The kernel executes it.
    Allowed,
    /// It is answered within the domain, by the system-call server that every worker has, as a
    /// small machine of the library's own would; likewise in the host's process, but for verified
    /// code: see `docs/world.md`. The kernel does not execute it.
    Answered,
    /// It ends the call with `Error::SyscallDenied`, and poisons the instance.
    Ends,
}
