//! What is known of a machine.

/// What the processor offers, and what of it the kernel has switched on.
///
/// By `CPUID` leaf 7 (Intel SDM volume 2A), unless stated otherwise. On other architectures than
/// x86-64 only the name is known.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Processor {
    /// Its brand string; empty if it has none.
    pub name: String,
    /// The vendor, such as `AuthenticAMD`; empty if it is unknown.
    pub maker: String,
    /// It has protection keys for user pages (PKU).
    pub pku: bool,
    /// The kernel has switched protection keys on (OSPKE).
    pub ospke: bool,
    /// It has instructions that write the base of FS and GS (FSGSBASE).
    pub fsgsbase: bool,
    /// The kernel lets programs use these instructions (`AT_HWCAP2` bit 1, Linux 5.9).
    pub fsgsbase_enabled: bool,
    /// It has shadow stacks (CET).
    pub shadow_stack: bool,
    /// This process's own main stack has a shadow (`ARCH_SHSTK_STATUS`, Linux 6.6).
    pub shadow_stack_active: bool,
    /// It has registers, switched on by the kernel, that the gate of protection keys cannot
    /// clear before foreign code runs (XCR0).
    pub unknown_registers: bool,
    /// It can check the targets of indirect branches (CET).
    pub branch_tracking: bool,
}

/// The kernel that runs.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kernel {
    /// Its release, such as `6.12.57+deb12-cloud-amd64`.
    pub release: String,
    /// The first two numbers of that.
    pub version: (u32, u32),
    /// The third one.
    pub patch: u32,
}

/// Which memory files may be executed (`vm.memfd_noexec`, Linux 6.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemfdExec {
    /// All of them.
    #[default]
    Allowed,
    /// Those that are created as executable, as Omniglot does.
    OnRequest,
    /// None may.
    Forbidden,
}

/// The result of trying to allocate a protection key (pkeys(7)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyTrial {
    /// A key was allocated, and freed again.
    Allocated,
    /// All keys of this process are in use, so the machine has keys.
    AllInUse,
    /// The kernel or the processor has no keys.
    #[default]
    None,
}

/// What the kernel offers to this process.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mechanisms {
    /// Whether programs can be started from memory.
    pub memfd_exec: MemfdExec,
    /// Filters for system calls that end, refuse and trap (seccomp(2)).
    pub seccomp: bool,
    /// System calls that wait for another process (seccomp_unotify(2)).
    pub user_notification: bool,
    /// The version of Landlock's interface, if there is any (landlock(7)).
    pub landlock: Option<u32>,
    /// Descriptors of processes (pidfd_open(2), Linux 5.3).
    pub pidfd: bool,
    /// System calls of parts of a program can be turned into signals (Syscall User Dispatch,
    /// Linux 5.11).
    pub user_dispatch: bool,
    /// Protection keys, by trying to allocate one.
    pub keys: KeyTrial,
    /// Restartable sequences (rseq(2)), which protection keys interfere with.
    pub rseq: bool,
    /// Whether `/proc` is mounted (proc(5)), which starting a worker needs.
    pub proc: bool,
    /// This program lies below 4 GiB, where 32-bit code could reach it: it is not a
    /// position-independent executable (PIE).
    pub low_program: bool,
    /// The program's `sigaction`, `mmap` and so on are this crate's: it is part of the program,
    /// not of a library that was opened later.
    pub interposed: bool,
    /// The program was compiled with the feature `in-process`, without which nothing runs
    /// foreign code in the host's process.
    pub in_process: bool,
    /// The C library's version, such as (2, 36) of glibc; (0, 0) if it is another.
    pub libc: (u32, u32),
    /// The kernel's clock in memory cannot be taken from a worker
    /// (`CONFIG_MSEAL_SYSTEM_MAPPINGS`, Linux 6.16): libraries can tell the time in calls.
    pub sealed_clock: bool,
}

/// The capabilities of a machine.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Whether this program was compiled for a target that has runtimes: Linux with glibc on x86-64
    /// or AArch64, or with musl on x86-64.
    pub supported_target: bool,
    /// The processor.
    pub processor: Processor,
    /// The kernel.
    pub kernel: Kernel,
    /// What the kernel offers.
    pub mechanisms: Mechanisms,
}
