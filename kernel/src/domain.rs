//! A foreign library in its own domain, which can be restarted after a crash.

use core::fmt;
use core::time::Duration;

use omniglot::{Error, Library};
use omniglot_kernel_hardware::Hart;
use omniglot_pmp::{ForeignRegion, Pmp};

/// The runtime of the kernel's foreign libraries.
pub type Runtime = Pmp<Hart>;

/// The time limit of a call, after which foreign code is taken to hang. The longest call is a
/// signature over a NIST curve, which takes a fraction of a second in QEMU.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Why a service failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The call failed, or was wrong.
    Foreign(Error),
    /// The library returned an error of its own, with this number.
    Refused(i32),
    /// The request exceeds what the service can hold.
    TooLarge,
    /// The board has no such device.
    NoDevice,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Foreign(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign(error) => error.fmt(out),
            Self::Refused(code) => write!(out, "the library refused, with its error {code}"),
            Self::TooLarge => out.write_str("too large"),
            Self::NoDevice => out.write_str("this board has no such device"),
        }
    }
}

/// A foreign library and its state.
#[derive(Debug)]
pub struct ForeignLibrary<L> {
    library: Option<L>,
    trouble: Option<Error>,
}

impl<L: Library<Runtime = Runtime>> ForeignLibrary<L> {
    /// Loads the library into its region. A library that does not start is broken from the
    /// beginning.
    pub fn start(hart: Hart, region: ForeignRegion) -> Self {
        match Pmp::start(hart, region, &L::DESCRIPTION) {
            Ok(runtime) => {
                let mut library = L::assemble(runtime);
                library.set_timeout(Some(PATIENCE));
                Self { library: Some(library), trouble: None }
            }
            Err(error) => Self { library: None, trouble: Some(error) },
        }
    }

    /// Runs `work` with the library, and records the error if that poisons the instance.
    ///
    /// # Errors
    /// The error of `work`, or the reason why the library did not start.
    pub fn run<T>(
        &mut self,
        work: impl FnOnce(&mut L) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let absent = self.trouble.unwrap_or(Error::Misuse("the library was never started"));
        let library = self.library.as_mut().ok_or(absent)?;
        let outcome = work(library);
        if let Err(Failure::Foreign(error)) = &outcome
            && error.poisons().is_some()
        {
            self.trouble = Some(*error);
        }
        outcome
    }

    /// Restarts the library with fresh memory, whatever state it is in.
    ///
    /// # Errors
    /// Fails if the library does not start.
    pub fn restart(&mut self) -> Result<(), Failure> {
        let absent = self.trouble.unwrap_or(Error::Misuse("the library was never started"));
        let library = self.library.as_mut().ok_or(absent)?;
        library.reset()?;
        self.trouble = None;
        Ok(())
    }

    /// Returns why the library cannot be used, or `None` if it can.
    #[must_use]
    pub const fn trouble(&self) -> Option<&Error> {
        self.trouble.as_ref()
    }
}
