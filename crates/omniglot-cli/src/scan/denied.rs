//! Determines which imports of a library make system calls that a domain does not pass to the
//! kernel.

use omniglot_linux::SyscallPolicy;

use super::facts::Facts;

/// Functions of the C library, listed by the system call that they cannot work without. Functions
/// that are named like their system call need no entry.
const CALLS: &[(&str, &[&str])] = &[
    (
        "openat",
        &[
            "creat",
            "dlmopen",
            "dlopen",
            "fopen",
            "fopen64",
            "freopen",
            "freopen64",
            "getgrgid",
            "getgrgid_r",
            "getgrnam",
            "getgrnam_r",
            "getpwnam",
            "getpwnam_r",
            "getpwuid",
            "getpwuid_r",
            "glob",
            "glob64",
            "iconv_open",
            "mkostemp",
            "mkstemp",
            "mkstemp64",
            "nftw",
            "open",
            "open64",
            "openat64",
            "opendir",
            "scandir",
            "sem_open",
            "shm_open",
            "tmpfile",
            "tmpfile64",
        ],
    ),
    ("clone", &["fork", "popen", "posix_spawn", "posix_spawnp", "system", "vfork"]),
    ("clone3", &["pthread_create", "thrd_create"]),
    ("execve", &["execl", "execle", "execlp", "execv", "execvp", "execvpe", "fexecve"]),
    (
        "socket",
        &[
            "getaddrinfo",
            "gethostbyaddr",
            "gethostbyname",
            "gethostbyname_r",
            "getnameinfo",
            "getservbyname",
            "openlog",
            "res_init",
            "syslog",
            "vsyslog",
        ],
    ),
    ("sendto", &["send"]),
    ("recvfrom", &["recv"]),
    ("wait4", &["pclose", "wait", "waitpid"]),
    ("kill", &["killpg"]),
    ("tgkill", &["pthread_kill", "raise"]),
    ("clock_nanosleep", &["nanosleep", "sleep", "thrd_sleep", "usleep"]),
    ("ppoll", &["ppoll64"]),
    ("pselect6", &["pselect", "select"]),
    ("unlink", &["remove", "shm_unlink"]),
    ("mkdir", &["mkdtemp", "mkfifo", "mknod"]),
    ("setitimer", &["ualarm"]),
    ("fcntl", &["fcntl64", "lockf"]),
    ("pread64", &["pread"]),
    ("pwrite64", &["pwrite"]),
    ("ftruncate", &["ftruncate64"]),
    ("truncate", &["truncate64"]),
    ("newfstatat", &["fstat64", "fstatat", "lstat", "lstat64", "stat", "stat64"]),
    ("getdents64", &["readdir", "readdir64"]),
    ("getrandom", &["arc4random", "arc4random_buf", "arc4random_uniform", "getentropy"]),
    ("clock_gettime", &["clock", "ftime", "timespec_get"]),
    ("write", &["dprintf", "fflush", "perror", "printf", "putchar", "puts", "vprintf"]),
    ("read", &["fgets", "fread", "getc", "getchar", "getline", "scanf"]),
    ("rt_sigaction", &["bsd_signal", "sigaction", "signal"]),
    ("rt_sigprocmask", &["pthread_sigmask", "sigprocmask"]),
    ("rt_sigtimedwait", &["sigtimedwait", "sigwait"]),
    ("sched_setaffinity", &["pthread_setaffinity_np"]),
    ("readlink", &["realpath"]),
];

/// Functions that are named like a system call but make another one, which is allowed.
const HARMLESS: [&str; 2] = ["_exit", "exit"];

/// An imported function whose system call is not passed to the kernel.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Denied {
    /// The library that imports the function.
    pub(super) library: String,
    pub(super) function: String,
    pub(super) system_call: String,
    pub(super) policy: SyscallPolicy,
}

impl Denied {
    /// The effect of calling it.
    pub(super) fn consequence(&self) -> &'static str {
        match self.policy {
            SyscallPolicy::Answered => {
                "is answered within the domain (in the host's process it fails or ends the call)"
            }
            _ => "ends the call with SyscallDenied",
        }
    }
}

/// The functions that the libraries import from the C library and whose system calls are not passed
/// to the kernel. Imports of the C library itself are ignored, since it has all system calls.
pub(super) fn imports(libraries: &[Facts]) -> Vec<Denied> {
    let own =
        |name: &str| libraries.iter().find(|facts| !is_c_library(facts) && exports(facts, name));
    let mut denied = Vec::new();
    for facts in libraries.iter().filter(|facts| !is_c_library(facts)) {
        for import in &facts.imports {
            let found = denied_import(&import.name).filter(|_| own(&import.name).is_none());
            denied.extend(found.map(|(system_call, policy)| Denied {
                library: facts.name.clone(),
                function: import.name.clone(),
                system_call,
                policy,
            }));
        }
    }
    denied
}

fn exports(facts: &Facts, name: &str) -> bool {
    facts.exports.iter().any(|export| export == name)
}

/// Returns true if the library is a part of glibc.
fn is_c_library(facts: &Facts) -> bool {
    let parts = ["libc.so", "ld-linux", "libpthread.so", "libdl.so", "librt.so", "libresolv.so"];
    parts.iter().any(|part| facts.name.starts_with(part))
}

/// The system call that a function makes, and its policy. Returns `None` if the call is allowed.
fn denied_import(function: &str) -> Option<(String, SyscallPolicy)> {
    if HARMLESS.contains(&function) {
        return None;
    }
    let call = CALLS.iter().find(|(_, functions)| functions.contains(&function));
    // Fortified functions have names such as `__read_chk`.
    let plain = function.strip_prefix("__").and_then(|name| name.strip_suffix("_chk"));
    let name = call.map_or(plain.unwrap_or(function), |(call, _)| call);
    let policy = SyscallPolicy::of(name).filter(|policy| *policy != SyscallPolicy::Allowed)?;
    Some((name.to_owned(), policy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_call_in_the_table_is_one_and_is_denied() {
        for (call, functions) in CALLS {
            let policy =
                SyscallPolicy::of(call).unwrap_or_else(|| panic!("{call} is no system call"));
            assert_ne!(policy, SyscallPolicy::Allowed, "{call}: {functions:?}");
        }
    }

    #[test]
    fn functions_are_denied_for_the_system_call_that_they_make() {
        for (function, call, policy) in [
            ("socket", "socket", SyscallPolicy::Ends),
            ("open", "openat", SyscallPolicy::Answered),
            ("fork", "clone", SyscallPolicy::Ends),
            ("pthread_create", "clone3", SyscallPolicy::Answered),
            ("gettimeofday", "gettimeofday", SyscallPolicy::Answered),
            ("getrandom", "getrandom", SyscallPolicy::Answered),
            ("munmap", "munmap", SyscallPolicy::Answered),
            ("__read_chk", "read", SyscallPolicy::Answered),
        ] {
            assert_eq!(denied_import(function), Some((call.to_owned(), policy)), "{function}");
        }
        for function in ["memcpy", "malloc", "exit", "futex", "png_read_row"] {
            assert_eq!(denied_import(function), None, "{function}");
        }
    }
}
