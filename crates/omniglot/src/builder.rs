//! How an instance is made.

use std::marker::PhantomData;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use omniglot_core::{Library, Result};
use omniglot_linux::{FileSource, Isolation, LineSink, Linux, Options, Permissions};

/// The settings of an instance that is to be built. The generated type's `builder()` makes one.
///
/// ```
/// # use omniglot_guide::parts::Parts;
/// # fn main() -> omniglot::Result<()> {
/// use std::time::Duration;
///
/// use omniglot::Permission;
///
/// let mut parts = Parts::builder()
///     .memory_limit(256 << 20)
///     .timeout(Duration::from_secs(1))
///     .allow(Permission::Clock)
///     .build()?;
/// assert!(parts.parts_clock()? > 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is built until `build` is called"]
pub struct Builder<L> {
    options: Options,
    library: PhantomData<fn() -> L>,
}

impl<L: Library<Runtime = Linux>> Builder<L> {
    /// Default settings.
    ///
    /// ```
    /// # use omniglot_guide::parts::Parts;
    /// # fn main() -> omniglot::Result<()> {
    /// use omniglot::Builder;
    ///
    /// let parts = Builder::<Parts>::new().build()?; // `Parts::builder().build()?` is shorter
    /// # drop(parts);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new() -> Self {
        Self { options: Options::default(), library: PhantomData }
    }

    /// Where the library runs. By default [`Isolation::Auto`] chooses.
    ///
    /// ```
    /// # use omniglot_guide::parts::Parts;
    /// # fn main() -> omniglot::Result<()> {
    /// use omniglot::{Isolation, IsolationKind};
    ///
    /// let parts = Parts::builder().isolation(Isolation::Process).build()?;
    /// assert_eq!(parts.isolation(), IsolationKind::Process);
    /// # Ok(())
    /// # }
    /// ```
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.options.isolation = isolation;
        self
    }

    /// The most memory that the library's domain may have, in bytes. It holds the library's code,
    /// heap and stack, and what the host allocates there. Boxes have an eighth of it, scopes and
    /// calls another eighth.
    ///
    /// By default it is 4 GiB. These are addresses: the system provides memory only for those
    /// that are used.
    ///
    /// ```
    /// # use omniglot_guide::parts::Parts;
    /// # fn main() -> omniglot::Result<()> {
    /// use omniglot::Error;
    ///
    /// let mut parts = Parts::builder().memory_limit(64 << 20).build()?;
    /// let large = parts.alloc_zeroed::<u8>(16 << 20); // boxes have an eighth: 8 MiB
    /// assert!(matches!(large, Err(Error::OutOfMemory { .. })));
    /// # Ok(())
    /// # }
    /// ```
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.options.memory_limit = bytes;
        self
    }

    /// The size of the library's stack in bytes, by default 8 MiB.
    ///
    /// ```
    /// # use omniglot_guide::parts::Parts;
    /// # fn main() -> omniglot::Result<()> {
    /// // For a library that recurses as deep as its input is nested.
    /// let mut parts = Parts::builder().stack_size(64 << 20).build()?;
    /// # parts.parts_first()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.options.stack_size = bytes;
        self
    }

    /// The most time that foreign code may take in one outermost call. The time of callbacks in
    /// the host does not count. By default there is no limit.
    ///
    /// ```
    /// # use omniglot_guide::parts::Parts;
    /// # fn main() -> omniglot::Result<()> {
    /// use std::time::Duration;
    ///
    /// use omniglot::Error;
    ///
    /// let mut parts = Parts::builder().timeout(Duration::from_millis(50)).build()?;
    /// assert!(matches!(parts.parts_loop(), Err(Error::Timeout { .. })));
    /// parts.reset()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.options.timeout = Some(limit);
        self
    }

    /// The most time that loading may take, by default 10 seconds.
    ///
    /// ```
    /// # use omniglot_guide::parts::Parts;
    /// # fn main() -> omniglot::Result<()> {
    /// use std::time::Duration;
    ///
    /// // For a library whose constructors compute large tables.
    /// let parts = Parts::builder().start_timeout(Duration::from_secs(60)).build()?;
    /// # drop(parts);
    /// # Ok(())
    /// # }
    /// ```
    pub fn start_timeout(mut self, limit: Duration) -> Self {
        self.options.start_timeout = limit;
        self
    }

    /// Loads this file as well, before the library itself. It can be a build of the library that
    /// is not installed.
    ///
    /// ```no_run
    /// # use omniglot_guide::parts::Parts;
    /// # fn main() -> omniglot::Result<()> {
    /// let mut parts = Parts::builder().library("build/libparts.so.2").build()?;
    /// # parts.parts_first()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn library(mut self, file: impl Into<PathBuf>) -> Self {
        self.options.libraries.push(file.into());
        self
    }

    /// Lets the loader look for libraries in this directory too.
    ///
    /// ```no_run
    /// # use omniglot_guide::parts::Parts;
    /// # fn main() -> omniglot::Result<()> {
    /// let mut parts = Parts::builder().library_directory("/opt/parts/lib").build()?;
    /// # parts.parts_first()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn library_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.options.library_directories.push(directory.into());
        self
    }

    /// Allows the library more than to compute, such as to read the clock. What was allowed before
    /// stays allowed.
    ///
    /// ```
    /// # use omniglot_guide::parts::Parts;
    /// # fn main() -> omniglot::Result<()> {
    /// use omniglot::Permission;
    ///
    /// let mut parts = Parts::builder()
    ///     .allow([Permission::Clock, Permission::Random])
    ///     .allow(Permission::Stderr)
    ///     .build()?;
    /// assert!(parts.parts_clock()? > 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn allow(mut self, permissions: impl Into<Permissions>) -> Self {
        self.options.allow = self.options.allow.and(permissions.into());
        self
    }

    /// Gives the library a file that it can read, at this absolute path. The content is bytes, or
    /// a file of the host's, which is read when the instance is built. Other files do not exist
    /// for the library.
    ///
    /// ```
    /// # use omniglot_guide::parts::Parts;
    /// # fn main() -> omniglot::Result<()> {
    /// let mut parts = Parts::builder()
    ///     .file("/etc/parts.conf", b"bolts=10") // these bytes
    ///     .file("/parts/manifest", std::path::Path::new("Cargo.toml")) // this file of the host's
    ///     .build()?;
    /// assert_eq!(parts.parts_load("/etc/parts.conf")?, 8);
    /// assert!(parts.parts_load("/parts/manifest")? > 0);
    /// assert_eq!(parts.parts_load("/etc/passwd")?, -1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn file(mut self, path: impl Into<PathBuf>, what: impl Into<FileSource>) -> Self {
        self.options.files.push((path.into(), what.into()));
        self
    }

    /// Gives the library all files of a host's directory and its subdirectories, as
    /// [`file`](Self::file) gives it one. They appear under `path`.
    ///
    /// ```
    /// # use omniglot_guide::parts::Parts;
    /// # fn main() -> omniglot::Result<()> {
    /// let mut parts = Parts::builder().directory("/usr/share/parts", "src").build()?;
    /// assert!(parts.parts_load("/usr/share/parts/lib.rs")? > 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn directory(mut self, path: impl Into<PathBuf>, host: impl Into<PathBuf>) -> Self {
        self.options.files.push((path.into(), FileSource::Directory(host.into())));
        self
    }

    /// Sets a variable of the library's environment. The environment has only the variables that
    /// are set here, and none of the host's.
    ///
    /// ```
    /// # use omniglot_guide::parts::Parts;
    /// # fn main() -> omniglot::Result<()> {
    /// let mut parts = Parts::builder().env("PARTS_MOST", "64").build()?;
    /// assert_eq!(parts.parts_setting("PARTS_MOST")?, 64);
    /// assert_eq!(parts.parts_setting("PATH")?, -1); // nothing of the host's
    /// # Ok(())
    /// # }
    /// ```
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.environment.push((name.into(), value.into()));
        self
    }

    /// Sets the library's clocks to this time, for reproducible runs. Sleeping advances them.
    /// Unless they are set, they show when the outermost call began, to the millisecond.
    ///
    /// ```
    /// # use omniglot_guide::parts::Parts;
    /// # fn main() -> omniglot::Result<()> {
    /// use std::time::{Duration, UNIX_EPOCH};
    ///
    /// let mut parts = Parts::builder().clock(UNIX_EPOCH + Duration::from_secs(1_000_000)).build()?;
    /// assert_eq!(parts.parts_clock()?, 1_000_000);
    /// # Ok(())
    /// # }
    /// ```
    pub fn clock(mut self, fixed: SystemTime) -> Self {
        // A time before 1970 cannot be shown.
        self.options.clock = Some(fixed.duration_since(UNIX_EPOCH).unwrap_or_default());
        self
    }

    /// Sets the seed of the library's random numbers, for reproducible runs. Unless it is set, each
    /// instance has its own, and another one after each reset.
    ///
    /// ```
    /// # use omniglot_guide::parts::Parts;
    /// # fn main() -> omniglot::Result<()> {
    /// let seeded = || Parts::builder().seed([7; 32]).build()?.parts_draw();
    /// assert_eq!(seeded()?, seeded()?); // the same "random" number in every run
    /// # Ok(())
    /// # }
    /// ```
    pub fn seed(mut self, seed: [u8; 32]) -> Self {
        self.options.seed = Some(seed);
        self
    }

    /// Ends the call if the library asks for something that is not provided, such as another file.
    /// The call's error is then [`SyscallDenied`](omniglot_core::Error::SyscallDenied). Otherwise
    /// the library gets an error number, and goes on.
    ///
    /// ```
    /// # use omniglot_guide::parts::Parts;
    /// # fn main() -> omniglot::Result<()> {
    /// use omniglot::Error;
    ///
    /// let mut parts = Parts::builder().strict().build()?; // in a test: nothing is asked for in vain
    /// let loaded = parts.parts_load("/etc/parts.conf");
    /// assert!(matches!(loaded, Err(Error::SyscallDenied { .. })), "{loaded:?}");
    /// # Ok(())
    /// # }
    /// ```
    pub fn strict(mut self) -> Self {
        self.options.strict = true;
        self
    }

    /// Lets the library write files in `/tmp`, of at most this many bytes altogether. They are in
    /// its domain's memory, and are gone when the instance is reset or dropped. By default it can
    /// write no file.
    ///
    /// ```
    /// # use omniglot_guide::parts::Parts;
    /// # fn main() -> omniglot::Result<()> {
    /// let mut parts = Parts::builder().tmp(1 << 20).build()?;
    /// parts.parts_save("/tmp/parts", "bolt")?;
    /// assert_eq!(parts.parts_load("/tmp/parts")?, 4);
    /// parts.reset()?;
    /// assert_eq!(parts.parts_load("/tmp/parts")?, -1); // it ended with the instance's life
    /// # Ok(())
    /// # }
    /// ```
    pub fn tmp(mut self, bytes: usize) -> Self {
        self.options.tmp = bytes;
        self
    }

    /// Lets the library load the libraries of this directory by `dlopen`, such as plugins or
    /// iconv's converters. It can also read all files of the directory. The plugins are loaded
    /// together with the library, since nothing can be loaded later. With
    /// [`Isolation::Sfi`] no library can be loaded, and only the files are there.
    ///
    /// ```
    /// # use omniglot_guide::parts::Parts;
    /// # fn main() -> omniglot::Result<()> {
    /// # let directory = std::path::Path::new("src"); // has no library in it
    /// // For iconv, `directory` is the C library's `gconv` directory.
    /// let parts = Parts::builder().plugin_directory(directory.canonicalize().expect("it exists")).build()?;
    /// # drop(parts);
    /// # Ok(())
    /// # }
    /// ```
    pub fn plugin_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.options.plugin_directories.push(directory.into());
        self
    }

    /// Calls a closure with each line that the library writes to its standard output and error,
    /// for example to log it. The closure is called after the call in which the line was written.
    /// Control characters are escaped.
    ///
    /// Without a closure, [`Linux::output`] still has the last 8 KiB, and the error of a call that
    /// faulted has the last line.
    ///
    /// ```
    /// # use omniglot_guide::parts::Parts;
    /// # fn main() -> omniglot::Result<()> {
    /// let (send, lines) = std::sync::mpsc::channel();
    /// let mut parts = Parts::builder()
    ///     .on_output(move |line| drop(send.send(line.to_owned())))
    ///     .build()?;
    /// parts.parts_load("/no/file")?;
    /// assert_eq!(lines.recv().as_deref(), Ok("cannot read /no/file"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_output(mut self, hear: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.options.output = Some(LineSink::new(hear));
        self
    }

    /// How many loaded workers to keep ready. A reset takes one of them, which needs a fraction of
    /// the time for building an instance. All instances with the same settings share the spares.
    /// These end with the last such instance.
    ///
    /// By default there is no spare before the first reset, and one from then on. A spare costs
    /// as much memory as the loaded library, and no processor time. With 0, each reset loads the
    /// library again.
    ///
    /// ```
    /// # use omniglot_guide::parts::Parts;
    /// # fn main() -> omniglot::Result<()> {
    /// let mut parts = Parts::builder().spares(2).build()?;
    /// for request in ["one", "two", "three"] {
    ///     // ... calls for the request
    ///     # parts.parts_first()?;
    ///     parts.reset()?; // takes a worker that is loaded already, if there is one
    ///     # drop(request);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn spares(mut self, count: usize) -> Self {
        self.options.spares = Some(count);
        self
    }

    /// The settings, for a runtime that no builder starts, such as `Unprotected`.
    ///
    /// ```
    /// # use omniglot_guide::parts::Parts;
    /// let builder = Parts::builder().tmp(1 << 20);
    /// assert_eq!(builder.options().tmp, 1 << 20);
    /// // unsafe { Unprotected::start(&Parts::<Unprotected>::DESCRIPTION, builder.options())? }
    /// ```
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// Starts a new domain and loads the library into it.
    ///
    /// ```
    /// # use omniglot_guide::parts::Parts;
    /// # fn main() -> omniglot::Result<()> {
    /// let mut parts = Parts::builder().build()?; // loads a copy of the library of its own
    /// assert_eq!(parts.parts_change(5)?, 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Load`](omniglot_core::Error::Load) if the library or something that it needs cannot be
    /// loaded; [`Unsupported`](omniglot_core::Error::Unsupported) if this machine lacks something.
    /// If one of the library's constructors crashes or loops, the error is that of such a call.
    pub fn build(self) -> Result<L> {
        Ok(L::assemble(Linux::start(&L::DESCRIPTION, &self.options)?))
    }
}

impl<L: Library<Runtime = Linux>> Default for Builder<L> {
    fn default() -> Self {
        Self::new()
    }
}
