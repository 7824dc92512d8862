//! The policy: which system calls are allowed, refused, or end the worker, in lists. Those that
//! not every architecture has are in `machine`.

use syscalls::Sysno;

use crate::enabled::machine;
use crate::syscall_policy::SyscallPolicy;

pub(super) const EPERM: u32 = 1;
pub(super) const ENOMEM: u32 = 12;
pub(super) const EACCES: u32 = 13;

/// What happens to a call that is refused instead of ending the worker.
pub(super) struct Refusals {
    /// The call has no effect, and the caller is told that it succeeded.
    pub(super) ignored: &'static [Sysno],
    pub(super) no_memory: &'static [Sysno],
    pub(super) not_permitted: &'static [Sysno],
    pub(super) no_access: &'static [Sysno],
}

/// What the dynamic linker, libc and constructors need.
pub(super) const LOAD: &[&[Sysno]] = &[LOAD_EVERYWHERE, machine::LOAD];

const LOAD_EVERYWHERE: &[Sysno] = &[
    Sysno::close,
    Sysno::close_range,
    Sysno::exit_group,
    Sysno::faccessat,
    Sysno::faccessat2,
    Sysno::fstat,
    Sysno::getcwd,
    Sysno::getdents64,
    Sysno::getegid,
    Sysno::geteuid,
    Sysno::getgid,
    Sysno::getpid,
    Sysno::getrandom,
    Sysno::gettid,
    Sysno::getuid,
    Sysno::lseek,
    Sysno::mmap,
    Sysno::mprotect,
    Sysno::munmap,
    machine::STAT_AT,
    Sysno::pread64,
    Sysno::read,
    Sysno::rt_sigaction,
    // Returns from the handler of a call that only fails.
    Sysno::rt_sigreturn,
    Sysno::sched_yield,
    Sysno::set_robust_list,
    Sysno::set_tid_address,
    Sysno::sigaltstack,
    Sysno::statx,
    Sysno::sysinfo,
    Sysno::uname,
];

/// Calls that initialisation never needs: other processes, the network, changes to files, rights,
/// the kernel. They end loading.
pub(super) const LOAD_ENDS: &[&[Sysno]] =
    &[PROCESSES, NETWORK, CHANGES, PRIVILEGES, machine::LOAD_ENDS, CLOCK];

const PROCESSES: &[Sysno] = &[
    Sysno::clone,
    Sysno::clone3,
    Sysno::execve,
    Sysno::execveat,
    Sysno::kcmp,
    Sysno::kill,
    Sysno::pidfd_getfd,
    Sysno::pidfd_open,
    Sysno::pidfd_send_signal,
    Sysno::prlimit64,
    Sysno::process_madvise,
    Sysno::process_mrelease,
    Sysno::process_vm_readv,
    Sysno::process_vm_writev,
    Sysno::ptrace,
    Sysno::rt_sigqueueinfo,
    Sysno::rt_tgsigqueueinfo,
    Sysno::setpgid,
    Sysno::setpriority,
    Sysno::setrlimit,
    Sysno::setsid,
    Sysno::tgkill,
    Sysno::tkill,
];

const NETWORK: &[Sysno] = &[
    Sysno::accept,
    Sysno::accept4,
    Sysno::bind,
    Sysno::connect,
    Sysno::io_uring_enter,
    Sysno::io_uring_register,
    Sysno::io_uring_setup,
    Sysno::listen,
    Sysno::recvfrom,
    Sysno::recvmmsg,
    Sysno::recvmsg,
    Sysno::sendmmsg,
    Sysno::sendmsg,
    Sysno::sendto,
    Sysno::socket,
    Sysno::socketpair,
];

const CHANGES: &[Sysno] = &[
    Sysno::fchmod,
    Sysno::fchmodat,
    Sysno::fchown,
    Sysno::fchownat,
    Sysno::ftruncate,
    Sysno::linkat,
    Sysno::mkdirat,
    Sysno::mknodat,
    Sysno::pwrite64,
    Sysno::renameat,
    Sysno::renameat2,
    Sysno::symlinkat,
    Sysno::truncate,
    Sysno::unlinkat,
];

const PRIVILEGES: &[Sysno] = &[
    Sysno::acct,
    Sysno::add_key,
    Sysno::adjtimex,
    Sysno::bpf,
    Sysno::capset,
    Sysno::chroot,
    Sysno::clock_settime,
    Sysno::delete_module,
    Sysno::finit_module,
    Sysno::fsmount,
    Sysno::init_module,
    Sysno::kexec_file_load,
    Sysno::kexec_load,
    Sysno::keyctl,
    Sysno::mount,
    Sysno::mount_setattr,
    Sysno::move_mount,
    Sysno::open_by_handle_at,
    Sysno::open_tree,
    Sysno::perf_event_open,
    Sysno::pivot_root,
    Sysno::reboot,
    Sysno::request_key,
    Sysno::seccomp,
    Sysno::setdomainname,
    Sysno::setgid,
    Sysno::setgroups,
    Sysno::sethostname,
    Sysno::setns,
    Sysno::setregid,
    Sysno::setresgid,
    Sysno::setresuid,
    Sysno::setreuid,
    Sysno::settimeofday,
    Sysno::setuid,
    Sysno::swapoff,
    Sysno::swapon,
    Sysno::syslog,
    Sysno::umount2,
    Sysno::unshare,
    Sysno::userfaultfd,
];

pub(super) const LOAD_REFUSALS: Refusals = Refusals {
    // Signals stay unblocked, so that a fault is always reported.
    ignored: &[Sysno::rt_sigprocmask],
    no_memory: &[Sysno::brk, Sysno::mremap],
    not_permitted: &[
        Sysno::fcntl,
        Sysno::ioctl,
        Sysno::madvise,
        Sysno::membarrier,
        Sysno::mincore,
        Sysno::mlock,
        Sysno::prctl,
        Sysno::rseq,
        Sysno::set_mempolicy,
    ],
    // Links reveal names of the host's files (in /proc); no libc needs them for loading.
    no_access: machine::LINKS,
};

/// What the kernel executes for a worker that serves calls; `futex` has rules of its own. Every
/// other call comes back to the worker as a signal, and is answered in the domain. The last of
/// these three is the return from that handler.
pub(super) const SERVE: &[Sysno] = &[Sysno::exit_group, Sysno::rt_sigreturn];

/// What the server of the domain answers (`worker/server/table.c`; a test compares the two). A
/// `clone` that would start a thread fails; one that would start a process ends the call.
const ANSWERED: &[Sysno] = &[
    Sysno::brk,
    Sysno::chdir,
    Sysno::clock_getres,
    Sysno::clock_gettime,
    Sysno::clock_nanosleep,
    Sysno::clone3,
    Sysno::close,
    Sysno::close_range,
    Sysno::dup,
    Sysno::dup3,
    Sysno::faccessat,
    Sysno::faccessat2,
    Sysno::fadvise64,
    Sysno::fallocate,
    Sysno::fchmod,
    Sysno::fchmodat,
    Sysno::fchown,
    Sysno::fcntl,
    Sysno::fdatasync,
    Sysno::flock,
    Sysno::fstat,
    Sysno::fstatfs,
    Sysno::fsync,
    Sysno::ftruncate,
    Sysno::get_mempolicy,
    Sysno::getcpu,
    Sysno::getcwd,
    Sysno::getdents64,
    Sysno::getegid,
    Sysno::geteuid,
    Sysno::getgid,
    Sysno::getgroups,
    Sysno::getpeername,
    Sysno::getpgid,
    Sysno::getpid,
    Sysno::getppid,
    Sysno::getpriority,
    Sysno::getrandom,
    Sysno::getresgid,
    Sysno::getresuid,
    Sysno::getrlimit,
    Sysno::getrusage,
    Sysno::getsid,
    Sysno::getsockname,
    Sysno::getsockopt,
    Sysno::gettid,
    Sysno::gettimeofday,
    Sysno::getuid,
    Sysno::ioctl,
    Sysno::lseek,
    Sysno::madvise,
    Sysno::mbind,
    Sysno::membarrier,
    Sysno::memfd_create,
    Sysno::mincore,
    Sysno::mkdirat,
    Sysno::mlock,
    Sysno::mlockall,
    Sysno::mmap,
    Sysno::mprotect,
    Sysno::mremap,
    Sysno::msync,
    Sysno::munlock,
    Sysno::munmap,
    Sysno::nanosleep,
    machine::STAT_AT,
    Sysno::openat,
    Sysno::pipe2,
    Sysno::pkey_alloc,
    Sysno::prctl,
    Sysno::pread64,
    Sysno::preadv,
    Sysno::prlimit64,
    Sysno::pwrite64,
    Sysno::pwritev,
    Sysno::read,
    Sysno::readlinkat,
    Sysno::readv,
    Sysno::renameat,
    Sysno::renameat2,
    Sysno::rseq,
    Sysno::rt_sigaction,
    Sysno::rt_sigprocmask,
    Sysno::sched_get_priority_max,
    Sysno::sched_get_priority_min,
    Sysno::sched_getaffinity,
    Sysno::sched_getparam,
    Sysno::sched_getscheduler,
    Sysno::sched_setaffinity,
    Sysno::sched_setscheduler,
    Sysno::sched_yield,
    Sysno::set_mempolicy,
    Sysno::set_robust_list,
    Sysno::set_tid_address,
    Sysno::sigaltstack,
    Sysno::statfs,
    Sysno::statx,
    Sysno::sysinfo,
    Sysno::times,
    Sysno::truncate,
    Sysno::umask,
    Sysno::uname,
    Sysno::unlinkat,
    Sysno::utimensat,
    Sysno::write,
    Sysno::writev,
];

/// Waits with a time limit, with the permission for clocks; and the call by which the kernel
/// resumes a wait that a stop interrupted (restart_syscall(2)).
pub(super) const WAITS: &[Sysno] =
    &[Sysno::clock_nanosleep, Sysno::nanosleep, Sysno::restart_syscall];
pub(super) const CLOCK: &[Sysno] = machine::CLOCK;
pub(super) const RANDOM: &[Sysno] = &[Sysno::getrandom];
pub(super) const STDERR_WRITES: &[Sysno] = &[Sysno::write, Sysno::writev];

impl SyscallPolicy {
    /// What the policy does with the system call of this name, such as `openat`; `None` if there
    /// is none of that name, or this target has no workers.
    ///
    /// ```
    /// # if cfg!(worker_processes) {
    /// use omniglot_linux::{SyscallPolicy, Permission};
    /// assert_eq!(SyscallPolicy::of("socket"), Some(SyscallPolicy::Ends));
    /// assert_eq!(SyscallPolicy::of("munmap"), Some(SyscallPolicy::Answered));
    /// assert_eq!(SyscallPolicy::of("futex"), Some(SyscallPolicy::Allowed));
    /// # }
    /// ```
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let call = name.parse::<Sysno>().ok()?;
        Some(if SERVE.contains(&call) || call == Sysno::futex {
            Self::Allowed
        } else if ANSWERED.contains(&call) || machine::ANSWERED.contains(&call) {
            Self::Answered
        } else {
            Self::Ends
        })
    }
}

/// The name of a system call, for messages.
pub(in crate::enabled) fn name_of(number: u64) -> &'static str {
    usize::try_from(number).ok().and_then(Sysno::new).map_or("unknown", |call| call.name())
}
