//! What a user can choose about a worker.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How to isolate the library.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// [`Sfi`](Self::Sfi) for a library that was built for it, where the machine has what it needs,
    /// and if no option is set that only a process has; else a process. Protection keys are never
    /// chosen.
    #[default]
    Auto,
    /// A worker process.
    Process,
    /// This process, with software fault isolation. The library's machine code was proved to stay in
    /// 4 GiB of memory. It needs a library that was built for it, an x86-64 processor with FSGSBASE,
    /// and Linux 5.9. Calls are faster than to a process. SECURITY.md says against what it does not
    /// protect; use a process for each secret.
    Sfi,
    /// **Experimental**: this process, behind a memory protection key. It needs x86-64 with PKU,
    /// and Linux 6.12. Calls are faster than to a process. It was tested on emulated processors
    /// only, so nothing chooses it but this name.
    ProtectionKeys,
}

/// Something of the outside world that foreign code may use.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Ask for the time: `clock_gettime`, `clock_getres`, `gettimeofday`, `time`. In a process it may
    /// also wait until a time, and read the processor's clock (`RDTSC`).
    ///
    /// Without this permission, a library is told when the outermost call began, to the millisecond,
    /// however it asks; in this process, when it first asked in that call.
    Clock,
    /// Ask the kernel for random bytes: `getrandom`. Without this permission, a library has a generator
    /// in its own domain, with a new key after each start and each reset.
    Random,
    /// Write to the host's standard error: `write` and `writev` to descriptor 2.
    ///
    /// A library in the host's own process writes at most 64 KiB at a time. If standard error is a
    /// pipe or a terminal, the host's user must be allowed to open it, or such calls fail. That is
    /// so unless another user's program made it.
    Stderr,
    /// Have this many threads at a time, at most 64, in addition to the one that calls run on. This
    /// works in a process only, on processors with FSGSBASE. Without this permission, starting a
    /// thread fails with `EAGAIN`, and most libraries then use one thread.
    ///
    /// The threads are made before the library is loaded, and have the rights that it has in calls.
    /// They can also run between calls. A library with a thread that counts can measure time. No
    /// thread can be started while the library is loaded.
    Threads(u16),
    /// Make its own memory executable, for compilers at run time. This works in a process only, by
    /// the kernel's `mprotect`. Without this permission, libraries get `EACCES`, and many interpret
    /// instead.
    ExecutableMemory,
}

impl Permission {
    const fn bit(self) -> u8 {
        match self {
            Self::Clock => 1,
            Self::Random => 2,
            Self::Stderr => 4,
            Self::Threads(_) => 8,
            Self::ExecutableMemory => 16,
        }
    }
}

/// A set of [`Permission`]s; the default is none.
///
/// ```
/// use omniglot_linux::{Permission, Permissions};
/// let allow = Permissions::default().with(Permission::Clock);
/// assert!(allow.contains(Permission::Clock) && !allow.contains(Permission::Random));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Permissions {
    bits: u8,
    threads: u16,
}

impl Permissions {
    /// This set and one more.
    ///
    /// ```
    /// use omniglot_linux::{Permission, Permissions};
    ///
    /// let allow = Permissions::default().with(Permission::Clock).with(Permission::Threads(4));
    /// assert_eq!(allow.threads(), 4);
    /// ```
    #[must_use]
    pub const fn with(self, permission: Permission) -> Self {
        let threads = match permission {
            Permission::Threads(threads) if threads > self.threads => threads,
            _ => self.threads,
        };
        Self { bits: self.bits | permission.bit(), threads }
    }

    /// All that is in this set or the other.
    ///
    /// ```
    /// use omniglot_linux::{Permission, Permissions};
    ///
    /// let (one, other) = (Permission::Clock.into(), Permissions::from([Permission::Random]));
    /// assert_eq!(other.and(one), Permissions::from([Permission::Clock, Permission::Random]));
    /// ```
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        let threads = if other.threads > self.threads { other.threads } else { self.threads };
        Self { bits: self.bits | other.bits, threads }
    }

    /// Whether the set has the permission; for threads, whether so many are permitted.
    ///
    /// ```
    /// use omniglot_linux::{Permission, Permissions};
    ///
    /// let allow = Permissions::from([Permission::Clock, Permission::Threads(4)]);
    /// assert!(allow.contains(Permission::Clock) && !allow.contains(Permission::Random));
    /// assert!(allow.contains(Permission::Threads(2)) && !allow.contains(Permission::Threads(5)));
    /// ```
    #[must_use]
    pub const fn contains(self, permission: Permission) -> bool {
        match permission {
            Permission::Threads(threads) => threads <= self.threads,
            other => self.bits & other.bit() != 0,
        }
    }

    /// How many threads are permitted besides the one that calls run on.
    ///
    /// ```
    /// use omniglot_linux::{Permission, Permissions};
    ///
    /// assert_eq!(Permissions::from(Permission::Threads(4)).threads(), 4);
    /// assert_eq!(Permissions::default().threads(), 0);
    /// ```
    #[must_use]
    pub const fn threads(self) -> u16 {
        self.threads
    }

    /// One bit for each permission that is not a number.
    #[cfg(worker_processes)]
    #[cfg_attr(not(in_process), allow(dead_code))]
    pub(crate) const fn bits(self) -> u32 {
        self.bits as u32
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        permissions.into_iter().fold(Self::default(), Self::with)
    }
}

impl From<Permission> for Permissions {
    fn from(permission: Permission) -> Self {
        Self::default().with(permission)
    }
}

impl<const N: usize> From<[Permission; N]> for Permissions {
    fn from(permissions: [Permission; N]) -> Self {
        permissions.into_iter().collect()
    }
}

/// The content of a file in the library's domain.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileSource {
    /// These bytes.
    Bytes(Arc<[u8]>),
    /// The content of this file of the host's.
    Path(PathBuf),
    /// All files of this directory of the host's, and of its subdirectories; links are followed.
    Directory(PathBuf),
}

impl From<&[u8]> for FileSource {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl<const LEN: usize> From<&[u8; LEN]> for FileSource {
    fn from(bytes: &[u8; LEN]) -> Self {
        Self::Bytes(bytes.as_slice().into())
    }
}

impl From<Vec<u8>> for FileSource {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<PathBuf> for FileSource {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}

impl From<&Path> for FileSource {
    fn from(path: &Path) -> Self {
        Self::Path(path.to_path_buf())
    }
}

/// A closure that gets the lines that a library writes. It is called on a thread that calls the
/// library, or that drops an instance.
///
/// ```
/// use omniglot_linux::LineSink;
/// let sink = LineSink::new(|line| eprintln!("the library says: {line}"));
/// assert_eq!(sink, sink.clone());
/// ```
#[derive(Clone)]
pub struct LineSink(Arc<dyn Fn(&str) + Send + Sync>);

impl LineSink {
    /// Makes one of a closure, which is called for each line. The line has no line break at its end,
    /// and control characters in it are escaped. A line of more than 4 KiB comes in parts.
    ///
    /// ```
    /// let mut options = omniglot_linux::Options::default();
    /// options.output = Some(omniglot_linux::LineSink::new(|line| eprintln!("{line}")));
    /// ```
    pub fn new(hear: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }

    #[cfg(worker_processes)]
    pub(crate) fn hear(&self, line: &str) {
        (self.0)(line);
    }
}

/// The same closure.
impl PartialEq for LineSink {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for LineSink {}

impl fmt::Debug for LineSink {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("LineSink").finish_non_exhaustive()
    }
}

/// How to start a worker. Make one with `Options::default()` and change fields.
///
/// ```
/// let mut options = omniglot_linux::Options::default();
/// options.memory_limit = 256 << 20;
/// options.timeout = Some(std::time::Duration::from_secs(1));
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How to isolate.
    pub isolation: Isolation,
    /// The size of the domain's memory in bytes: libraries, heap, stack and what
    /// the host allocates there: an eighth of it for boxes, and an eighth for what scopes
    /// and calls have at a time. Address space, not memory in use; 4 GiB unless set, at
    /// least 32 MiB, rounded up to pages.
    pub memory_limit: usize,
    /// The size of the C stack in bytes, within the memory limit: 8 MiB unless set,
    /// at least 1 MiB, at most a quarter of the memory limit.
    pub stack_size: usize,
    /// How long each outermost call may run in foreign code; no limit unless set.
    pub timeout: Option<Duration>,
    /// How long loading may take, constructors included; 10 s unless set.
    pub start_timeout: Duration,
    /// Shared libraries to load first, in this order: names as `libpng16.so.16`,
    /// found as the system's dynamic linker finds them, or paths.
    pub libraries: Vec<PathBuf>,
    /// Where to search for libraries before the system's directories.
    pub library_directories: Vec<PathBuf>,
    /// What foreign code may do; nothing unless set.
    pub allow: Permissions,
    /// Files that the library finds in its domain, by their absolute paths there; no others exist.
    /// They are read when the instance is made, and never again.
    pub files: Vec<(PathBuf, FileSource)>,
    /// The library's environment: names and values. It contains no variable of the host's.
    pub environment: Vec<(String, String)>,
    /// The time that clocks show, since 1970, for reproducible runs; unless set, the time when the
    /// outermost call began.
    pub clock: Option<Duration>,
    /// The seed of the library's random numbers, for reproducible runs; unless set, another one in
    /// each life. Addresses still differ.
    pub seed: Option<[u8; 32]>,
    /// Whether what is not provided ends the call with `SyscallDenied` rather than with an error
    /// number for the library; with [`Isolation::Sfi`] not while constructors run.
    pub strict: bool,
    /// How many bytes of files the library may have in a `/tmp` of its own, in the domain's memory;
    /// 0 unless set: then it can write no file.
    pub tmp: usize,
    /// Directories of libraries that the library may load in a call (`dlopen`): plugins, converters
    /// of iconv. They are loaded before the first call, where they can be, and all that is in
    /// the directories is given to the library under the same paths. With
    /// [`Isolation::Sfi`] no library can be loaded, and only the files are there.
    pub plugin_directories: Vec<PathBuf>,
    /// Gets the lines that the library writes to its standard output and error.
    pub output: Option<LineSink>,
    /// How many loaded workers to keep ready for resets, shared by all instances of one
    /// library with the same options. Unless set: none before the first reset, then one.
    pub spares: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            isolation: Isolation::Auto,
            memory_limit: 4 << 30,
            stack_size: 8 << 20,
            timeout: None,
            start_timeout: Duration::from_secs(10),
            libraries: Vec::new(),
            library_directories: Vec::new(),
            allow: Permissions::default(),
            files: Vec::new(),
            environment: Vec::new(),
            clock: None,
            seed: None,
            strict: false,
            tmp: 0,
            plugin_directories: Vec::new(),
            output: None,
            spares: None,
        }
    }
}
