//! The policy for the system calls that foreign code makes.

use crate::Permission;

/// How the filter of a worker that serves calls treats a system call.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyscallPolicy {
    /// It is carried out.
    Allowed,
    /// It is carried out if the user gave this permission, else it ends the call.
    Permitted(Permission),
    /// It is not made, and the caller is told that it succeeded.
    Ignored,
    /// It fails with an error number, which callers can handle.
    Refused,
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
    /// assert_eq!(SyscallPolicy::of("munmap"), Some(SyscallPolicy::Refused));
    /// assert_eq!(SyscallPolicy::of("getrandom"), Some(SyscallPolicy::Permitted(Permission::Random)));
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
