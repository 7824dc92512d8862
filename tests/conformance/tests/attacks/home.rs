//! A runtime under attack, and how its tests are run.

use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use omniglot::{Description, IsolationKind, Library, Options, Result, Runtime};

use super::hostile::Hostile;
use super::isolated::isolated;
use super::kept::Kept;

/// A runtime under attack.
pub(crate) struct Home<R: Runtime> {
    /// The prefix of its tests' names.
    pub(crate) prefix: &'static str,
    /// The kind of isolation.
    pub(crate) isolation: IsolationKind,
    /// Loads a library in a fresh domain.
    pub(crate) start: fn(&Description) -> Result<R>,
    /// Interrupts a call.
    pub(crate) interrupt: fn(&R::InterruptHandle),
}

impl<R: Runtime> Clone for Home<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R: Runtime> Copy for Home<R> {}

/// Returns the options of all instances.
pub(crate) fn options() -> Options {
    let mut options = Options::default();
    options.memory_limit = 64 << 20;
    // A call that never ends then fails the test instead of hanging it.
    options.timeout = Some(Duration::from_secs(30));
    options.start_timeout = Duration::from_secs(120);
    options
}

impl<R: Runtime> Home<R> {
    /// Makes a fresh instance of any library.
    pub(crate) fn instance<L: Library<Runtime = R>>(self) -> Result<L> {
        Ok(L::assemble((self.start)(&L::DESCRIPTION)?))
    }

    /// Makes an instance of the hostile library.
    pub(crate) fn hostile(self) -> Result<Kept<Hostile<R>>> {
        let mut library = self.kept::<Hostile<R>>()?;
        library.set_timeout(options().timeout);
        Ok(library)
    }

    /// Makes a fresh instance, or reuses a reset one if starting takes long: tests that need
    /// protection keys usually run in an emulated machine.
    pub(crate) fn kept<L: Library<Runtime = R> + Send + 'static>(self) -> Result<Kept<L>> {
        Kept::get(self.isolation == IsolationKind::ProtectionKeys, || self.instance())
    }

    /// Makes a test. An attack in the host's own process may crash it if it succeeds, so there the
    /// test runs in another process.
    pub(crate) fn trial(
        self,
        name: String,
        run: impl FnOnce() -> std::result::Result<(), Failed> + Send + 'static,
    ) -> Trial {
        self.trial_in(name, run, false)
    }

    /// The same. With `alone`, the other process is a fresh one.
    pub(crate) fn trial_in(
        self,
        name: String,
        run: impl FnOnce() -> std::result::Result<(), Failed> + Send + 'static,
        alone: bool,
    ) -> Trial {
        let name = format!("{}{name}", self.prefix);
        match self.isolation {
            IsolationKind::Process => Trial::test(name, run),
            _ => Trial::test(name.clone(), isolated(&name, Box::new(run), alone)),
        }
    }
}

/// Returns the time limit of calls that never end by themselves. Others may be slow too in an
/// emulated machine.
pub(crate) fn short_limit() -> Duration {
    Duration::from_millis(if is_emulated() { 1000 } else { 50 })
}

/// Returns true in the guest of `cargo xtask guest`, whose processor is emulated.
pub(crate) fn is_emulated() -> bool {
    std::env::var_os("OMNIGLOT_GUEST").is_some()
}
