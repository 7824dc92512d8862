//! The policy for the system calls that foreign code makes.

/// What the filter does with a system call in a worker that serves calls.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyscallPolicy {
    /// The kernel executes it.
    Allowed,
    /// It is answered within the domain, by the system-call server that every worker has, as a
    /// small machine of the library's own would: see `docs/world.md`. The kernel does not execute
    /// it.
    Answered,
    /// It ends the call with `Error::SyscallDenied`, and poisons the instance.
    Ends,
}

impl SyscallPolicy {
    /// What the policy does with the system call of this name, such as `openat`; `None` if there is none of
    /// that name, or this target has no workers.
    ///
    /// ```
    /// # if cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")) {
    /// use omniglot_linux::{SyscallPolicy, Permission};
    /// assert_eq!(SyscallPolicy::of("socket"), Some(SyscallPolicy::Ends));
    /// assert_eq!(SyscallPolicy::of("munmap"), Some(SyscallPolicy::Answered));
    /// assert_eq!(SyscallPolicy::of("futex"), Some(SyscallPolicy::Allowed));
    /// # }
    /// ```
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        #[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
        return crate::enabled::policy_of(name);
        #[cfg(not(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")))]
        return None.filter(|_: &Self| name.is_empty());
    }
}
