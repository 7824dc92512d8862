//! How an instance is made.

use std::marker::PhantomData;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use omniglot_core::{Library, Result};
use omniglot_linux::{FileSource, Isolation, LineSink, Linux, Options, Permissions};

/// Settings of an instance to be built; generated types give one out.
#[derive(Clone, Debug)]
#[must_use = "nothing is built until `build` is called"]
pub struct Builder<L> {
    options: Options,
    library: PhantomData<fn() -> L>,
}

impl<L: Library<Runtime = Linux>> Builder<L> {
    /// Default settings.
    pub fn new() -> Self {
        Self { options: Options::default(), library: PhantomData }
    }

    /// How to isolate the library; by default the best that the machine has.
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.options.isolation = isolation;
        self
    }

    /// The most memory that the library's domain may have, in bytes: its code,
    /// heap and stack, and what the host allocates there: boxes have an eighth of it,
    /// scopes and calls another. By default 4 GiB of addresses; memory is used as it is
    /// touched.
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.options.memory_limit = bytes;
        self
    }

    /// The size of the library's stack in bytes, by default 8 MiB.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.options.stack_size = bytes;
        self
    }

    /// The most time that foreign code may take in one outermost call; callbacks
    /// in the host do not count. By default there is no limit.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.options.timeout = Some(limit);
        self
    }

    /// The most time that loading may take, by default 10 seconds.
    pub fn start_timeout(mut self, limit: Duration) -> Self {
        self.options.start_timeout = limit;
        self
    }

    /// Loads this file as well, before the library itself, such as a build of the
    /// library that is not installed.
    pub fn library(mut self, file: impl Into<PathBuf>) -> Self {
        self.options.libraries.push(file.into());
        self
    }

    /// Lets the loader look for libraries in this directory too.
    pub fn library_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.options.library_directories.push(directory.into());
        self
    }

    /// Allows more than computing, such as reading the clock, besides what was allowed before.
    ///
    /// ```
    /// use omniglot::{Builder, Permission};
    /// # use omniglot::{Library, Linux};
    /// # fn example<L: Library<Runtime = Linux>>() -> Builder<L> {
    /// Builder::<L>::new().allow([Permission::Clock, Permission::Random]).allow(Permission::Stderr)
    /// # }
    /// ```
    pub fn allow(mut self, permissions: impl Into<Permissions>) -> Self {
        self.options.allow = self.options.allow.and(permissions.into());
        self
    }

    /// Gives the library a file, read-only, at this absolute path of its own: bytes, or a file of
    /// the host's that is read when the instance is built. No other file exists for it. In a
    /// process only, as are [`directory`](Self::directory), [`clock`](Self::clock),
    /// [`seed`](Self::seed) and [`strict`](Self::strict).
    pub fn file(mut self, path: impl Into<PathBuf>, what: impl Into<FileSource>) -> Self {
        self.options.files.push((path.into(), what.into()));
        self
    }

    /// Gives the library all files of a directory of the host's, and of its subdirectories, as
    /// [`file`](Self::file) gives one.
    pub fn directory(mut self, path: impl Into<PathBuf>, host: impl Into<PathBuf>) -> Self {
        self.options.files.push((path.into(), FileSource::Directory(host.into())));
        self
    }

    /// Sets a variable of the library's environment, which is empty otherwise.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.environment.push((name.into(), value.into()));
        self
    }

    /// Sets the library's clocks to this time, for reproducible runs. Sleeping advances them.
    /// Unless set they show when the outermost call began, to the millisecond.
    pub fn clock(mut self, fixed: SystemTime) -> Self {
        // A time before 1970 cannot be shown.
        self.options.clock = Some(fixed.duration_since(UNIX_EPOCH).unwrap_or_default());
        self
    }

    /// Sets the seed of the library's random numbers, for reproducible runs. Unless set it is
    /// another one in each life of an instance.
    pub fn seed(mut self, seed: [u8; 32]) -> Self {
        self.options.seed = Some(seed);
        self
    }

    /// Makes every request for something that is not provided, such as a file that was not given,
    /// end the call with [`SyscallDenied`](omniglot_core::Error::SyscallDenied), where the library
    /// would otherwise get an error number.
    pub fn strict(mut self) -> Self {
        self.options.strict = true;
        self
    }

    /// Lets the library have files of its own in `/tmp`, so many bytes of them, in its domain's
    /// memory; they end with the instance's life. By default it can write no file. In a process
    /// only.
    pub fn tmp(mut self, bytes: usize) -> Self {
        self.options.tmp = bytes;
        self
    }

    /// Lets the library load the libraries of this directory in a call (`dlopen`), such as plugins
    /// or iconv's converters, and read all that is in it. They are loaded with the library; in a
    /// call nothing else can be. In a process only.
    pub fn plugin_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.options.plugin_directories.push(directory.into());
        self
    }

    /// Has a closure called with each line that the library writes to its standard output and
    /// error, such as one that logs it: after the call in which it was written, with control
    /// characters escaped. The last 8 KiB are there in any case
    /// ([`output`](omniglot_linux::Process::output)), and the last line of a call that faulted is
    /// in its error. In a process only.
    ///
    /// ```
    /// use omniglot::Builder;
    /// # use omniglot::{Library, Linux};
    /// # fn example<L: Library<Runtime = Linux>>() -> Builder<L> {
    /// Builder::<L>::new().on_output(|line| eprintln!("libpng says: {line}"))
    /// # }
    /// ```
    pub fn on_output(mut self, hear: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.options.output = Some(LineSink::new(hear));
        self
    }

    /// How many loaded workers to keep ready, so that resetting an instance takes a
    /// fraction of the time that building one takes. They are shared by all instances
    /// that are built with the same settings, and go with the last of these.
    ///
    /// By default there is none until an instance is reset for the first time, and one
    /// from then on. A spare costs its memory, about what the loaded library takes, and
    /// no processor time. With 0 each reset loads the library anew.
    pub fn spares(mut self, count: usize) -> Self {
        self.options.spares = Some(count);
        self
    }

    /// Loads the library into a new domain.
    ///
    /// # Errors
    /// [`Load`](omniglot_core::Error::Load) if the library or something that it
    /// needs cannot be loaded; [`Unsupported`](omniglot_core::Error::Unsupported) if
    /// this machine lacks something; whatever ends foreign code, if the library's
    /// constructors do it.
    pub fn build(self) -> Result<L> {
        Ok(L::assemble(Linux::start(&L::DESCRIPTION, &self.options)?))
    }
}

impl<L: Library<Runtime = Linux>> Default for Builder<L> {
    fn default() -> Self {
        Self::new()
    }
}
