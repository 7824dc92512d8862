//! The demo's report: what was done, its outcome, and whether that is as expected.

use std::fmt::Display;

use crate::print;

/// Prints lines and counts checks.
#[derive(Debug, Default)]
pub(crate) struct Report {
    passed: usize,
    failed: usize,
}

impl Report {
    /// Starts a part.
    pub(crate) fn part(&mut self, title: &str) {
        print(&format!("\n{title}\n\n"));
    }

    /// Prints a line that needs no check.
    pub(crate) fn note(&mut self, text: impl Display) {
        print(&format!("          {text}\n"));
    }

    /// Prints an outcome, and whether it is what `expected` describes.
    pub(crate) fn check(
        &mut self,
        what: impl Display,
        outcome: impl Display,
        expected: &str,
        passed: bool,
    ) {
        if passed {
            self.passed += 1;
            print(&format!("  ok      {what}: {outcome}\n"));
        } else {
            self.failed += 1;
            print(&format!("  FAILED  {what}: {outcome}; expected: {expected}\n"));
        }
    }

    /// Prints a summary; returns true if everything went as expected.
    pub(crate) fn finish(self) -> bool {
        let Self { passed, failed } = self;
        let total = passed + failed;
        if failed == 0 {
            print(&format!("\nAll {total} expectations were met.\n"));
        } else {
            print(&format!("\n{failed} of {total} expectations FAILED; see the lines above.\n"));
        }
        failed == 0
    }
}

/// Formats a result.
pub(crate) fn words<T: Display, E: Display>(result: &Result<T, E>) -> String {
    match result {
        Ok(value) => value.to_string(),
        Err(error) => format!("error: {error}"),
    }
}
