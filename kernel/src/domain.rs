//! A foreign library in a domain of its own: started, run, crashed, started again.

use core::fmt;
use core::time::Duration;

use omniglot::{Error, Library};
use omniglot_kernel_hardware::Hart;
use omniglot_pmp::{ForeignRegion, Pmp};

/// Where the kernel's foreign libraries run.
pub type Runtime = Pmp<Hart>;

/// How long foreign code may run in one call before it is taken to hang. The longest call
/// is a signature over a NIST curve, which takes a fraction of a second in QEMU.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Why a service did not do what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Something was wrong with the foreign library, or with what it was called with.
    Foreign(Error),
    /// The library did its work and refused, with its own error number.
    Refused(i32),
    /// What was asked for is more than the service can hold.
    TooLarge,
    /// There is no such device on this board.
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

/// A foreign library and its health.
#[derive(Debug)]
pub struct ForeignLibrary<L> {
    library: Option<L>,
    trouble: Option<Error>,
}

impl<L: Library<Runtime = Runtime>> ForeignLibrary<L> {
    /// Loads the library into its region. A library that does not start is in trouble from
    /// the beginning.
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

    /// Works with the library, and records it if that poisons the instance.
    ///
    /// # Errors
    /// What `work` returns; why the library did not start, if it did not.
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

    /// Starts the library again, as new, in whatever state it is.
    ///
    /// # Errors
    /// If it does not start.
    pub fn restart(&mut self) -> Result<(), Failure> {
        let absent = self.trouble.unwrap_or(Error::Misuse("the library was never started"));
        let library = self.library.as_mut().ok_or(absent)?;
        library.reset()?;
        self.trouble = None;
        Ok(())
    }

    /// Why the library cannot be used, if so.
    #[must_use]
    pub const fn trouble(&self) -> Option<&Error> {
        self.trouble.as_ref()
    }
}
