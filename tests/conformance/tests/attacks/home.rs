//! A runtime under attack, and how its tests are run.

use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use omniglot::{Description, IsolationKind, Library, Options, Result, Runtime};

use super::hostile::Hostile;
use super::isolated::isolated;

/// A runtime under attack.
pub(crate) struct Home<R: Runtime> {
    /// What the names of its tests begin with.
    pub(crate) prefix: &'static str,
    /// How it isolates.
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

/// How instances are made.
pub(crate) fn options() -> Options {
    let mut options = Options::default();
    options.memory_limit = 64 << 20;
    // A call that never ends is a failed test, not one that hangs.
    options.timeout = Some(Duration::from_secs(30));
    options
}

impl<R: Runtime> Home<R> {
    /// A fresh instance of any library.
    pub(crate) fn instance<L: Library<Runtime = R>>(self) -> Result<L> {
        Ok(L::assemble((self.start)(&L::DESCRIPTION)?))
    }

    /// A fresh instance of the library that attacks.
    pub(crate) fn hostile(self) -> Result<Hostile<R>> {
        self.instance()
    }

    /// A test. In the host's own process an attack that succeeds may end everything, so
    /// there each test has a host of its own.
    pub(crate) fn trial(
        self,
        name: String,
        run: impl FnOnce() -> std::result::Result<(), Failed> + Send + 'static,
    ) -> Trial {
        let name = format!("{}{name}", self.prefix);
        match self.isolation {
            IsolationKind::Process => Trial::test(name, run),
            _ => Trial::test(name.clone(), move || isolated(&name, run)),
        }
    }
}
