//! Counting and reporting results, in the words of Rust's own test programs.

use core::fmt::Display;

use crate::say;

/// How many tests ended in which way.
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

    /// Reports and counts a test that says nothing about this runtime.
    pub(crate) fn ignored(&mut self, name: impl Display) {
        say!("test {name} ... ignored");
        self.ignored += 1;
    }

    /// Whether there were tests, and none failed.
    pub(crate) fn is_good(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }

    /// The last line.
    pub(crate) fn report(&self) {
        let Self { passed, failed, ignored } = self;
        let verdict = if self.is_good() { "ok" } else { "FAILED" };
        say!(
            "test result: {verdict}. {passed} passed; {failed} failed; {ignored} ignored; \
             0 measured; 0 filtered out"
        );
    }
}
