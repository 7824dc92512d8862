//! Counts and reports results, in the format of Rust's own test programs.

use core::fmt::Display;

use crate::say;

/// The number of tests that passed, failed, and were ignored.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    passed: u32,
    failed: u32,
    ignored: u32,
}

impl Tally {
    /// Reports and counts a test's result.
    pub(crate) fn result<E: Display>(&mut self, name: impl Display, result: Result<(), E>) {
        match result {
            Ok(()) => {
                say!("test {name} ... ok");
                self.passed += 1;
            }
            Err(error) => {
                say!("  {error}");
                say!("test {name} ... FAILED");
                self.failed += 1;
            }
        }
    }

    /// Reports and counts a test that does not apply to this runtime.
    pub(crate) fn ignored(&mut self, name: impl Display) {
        say!("test {name} ... ignored");
        self.ignored += 1;
    }

    /// Returns true if there were tests and none failed.
    pub(crate) fn is_good(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }

    /// Prints the last line.
    pub(crate) fn report(&self) {
        let Self { passed, failed, ignored } = self;
        let verdict = if self.is_good() { "ok" } else { "FAILED" };
        say!(
            "test result: {verdict}. {passed} passed; {failed} failed; {ignored} ignored; \
             0 measured; 0 filtered out"
        );
    }
}
