//! Starts instances, runs their jobs, and queries them.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use omniglot::{
    Builder, Isolation, IsolationKind, Library, Linux, Options, Runtime as _, Unprotected,
};

/// Information about an instance besides its results.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The worker process, if there is one.
    pub process: Option<u32>,
    /// Requests of the library that were refused.
    pub requests: Vec<String>,
    /// The end of its standard output and error.
    pub output: String,
}

/// A library that was started, with its input.
pub trait Running {
    /// Returns how long starting it took.
    fn start_time(&self) -> Duration;

    /// Does the job once.
    ///
    /// # Errors
    /// The error that ended it.
    fn run(&mut self) -> omniglot::Result<()>;

    /// Compares the last result with that of another implementation.
    ///
    /// # Errors
    /// The difference.
    fn confirm(&self) -> Result<()>;

    /// Returns further information.
    fn facts(&self) -> Facts;
}

/// A library, its input, and its result.
pub struct Started<L, I, O> {
    instance: L,
    input: I,
    output: Option<O>,
    start_time: Duration,
    run: fn(&mut L, &I) -> omniglot::Result<O>,
    confirm: fn(&I, &O) -> Result<()>,
    facts: fn(&L) -> Facts,
}

impl<L, I, O> fmt::Debug for Started<L, I, O> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Started").finish_non_exhaustive()
    }
}

impl<L: 'static, I: 'static, O: 'static> Started<L, I, O> {
    /// Starts a library.
    ///
    /// # Errors
    /// Why it does not start.
    pub fn boxed(
        start: impl FnOnce() -> omniglot::Result<L>,
        input: I,
        run: fn(&mut L, &I) -> omniglot::Result<O>,
        confirm: fn(&I, &O) -> Result<()>,
        facts: fn(&L) -> Facts,
    ) -> omniglot::Result<Box<dyn Running>> {
        let begun = Instant::now();
        let instance = start()?;
        let start_time = begun.elapsed();
        Ok(Box::new(Self { instance, input, output: None, start_time, run, confirm, facts }))
    }
}

impl<L, I, O> Running for Started<L, I, O> {
    fn start_time(&self) -> Duration {
        self.start_time
    }

    fn run(&mut self) -> omniglot::Result<()> {
        self.output = Some((self.run)(&mut self.instance, &self.input)?);
        Ok(())
    }

    fn confirm(&self) -> Result<()> {
        (self.confirm)(&self.input, self.output.as_ref().context("it was not run")?)
    }

    fn facts(&self) -> Facts {
        (self.facts)(&self.instance)
    }
}

/// Queries the runtime of a worker process.
#[must_use]
pub fn facts(runtime: &Linux) -> Facts {
    let requests = runtime.requests().unwrap_or_default();
    let is_apart = runtime.isolation() == IsolationKind::Process;
    Facts {
        process: is_apart.then(|| runtime.process_id()),
        requests: requests.iter().map(|request| format!("{request:?}")).collect(),
        output: runtime.output().unwrap_or_default(),
    }
}

/// Returns the builder of an instance in a worker process. Busy machines need more time for
/// loading.
pub fn process<L: Library<Runtime = Linux>>() -> Builder<L> {
    Builder::new().isolation(Isolation::Process).start_timeout(Duration::from_secs(300))
}

/// Returns the builder of an instance in this process, as verified code.
pub fn sandboxed<L: Library<Runtime = Linux>>() -> Builder<L> {
    let builder = Builder::new().isolation(Isolation::Sfi).start_timeout(Duration::from_secs(300));
    builder.memory_limit(1 << 30)
}

/// Starts an instance in this process, without protection, with the settings that it has in a worker.
///
/// # Errors
/// Why it does not start.
#[allow(unsafe_code)]
pub fn in_process<L: Library<Runtime = Unprotected>>(options: &Options) -> omniglot::Result<L> {
    // SAFETY: the corpus's libraries are no attacks: they access no memory but their own, and
    // change only those registers that compiled C code changes.
    let runtime = unsafe { Unprotected::start(&L::DESCRIPTION, options) };
    Ok(L::assemble(runtime?))
}
