//! Counts and prints results.

use core::fmt::{Arguments, Display, Write};

use omniglot_kernel::Kernel;
use omniglot_kernel::domain::Failure;
use omniglot_kernel::text::Text;
use omniglot_kernel_hardware::Uart;

/// Why a test failed, as text.
pub(crate) type Why = Text<160>;

/// The result of a test.
pub(crate) type Outcome = Result<(), Why>;

/// A test and its name.
pub(crate) type Test = (&'static str, fn(&mut Kernel) -> Outcome);

/// How many tests passed, failed, and were ignored.
#[derive(Debug, Default)]
pub(crate) struct Report {
    passed: u32,
    failed: u32,
    ignored: u32,
}

impl Report {
    /// Prints and counts a result.
    pub(crate) fn result(&mut self, uart: &mut Uart, name: Arguments<'_>, outcome: Outcome) {
        // A serial line takes everything.
        let _ = match &outcome {
            Ok(()) => writeln!(uart, "test {name} ... ok"),
            Err(why) => writeln!(uart, "test {name} ... FAILED\n  {}", why.as_str()),
        };
        let count = if outcome.is_ok() { &mut self.passed } else { &mut self.failed };
        *count += 1;
    }

    /// Prints and counts a test whose wrong result is known, with the reason.
    pub(crate) fn ignored(&mut self, uart: &mut Uart, name: Arguments<'_>, why: &str) {
        let _ = writeln!(uart, "test {name} ... ignored, {why}");
        self.ignored += 1;
    }

    /// Runs tests one after another.
    pub(crate) fn run(&mut self, kernel: &mut Kernel, tests: &[Test]) {
        for (name, test) in tests {
            let outcome = test(kernel);
            self.result(&mut kernel.uart, format_args!("{name}"), outcome);
        }
    }

    /// Prints the summary. Returns true if nothing failed.
    pub(crate) fn end(self, uart: &mut Uart) -> bool {
        let good = self.failed == 0 && self.passed > 0;
        let word = if good { "ok" } else { "FAILED" };
        let Self { passed, failed, ignored } = self;
        let counts = format_args!("{passed} passed; {failed} failed; {ignored} ignored");
        let _ = writeln!(uart, "\ntest result: {word}. {counts}");
        good
    }
}

/// Formats the reason why a test failed.
pub(crate) fn because(words: Arguments<'_>) -> Why {
    let mut why = Why::new();
    // What does not fit is omitted.
    let _ = why.write_fmt(words);
    why
}

/// Describes an unexpected failure of a service.
pub(crate) fn unexpected(failure: Failure) -> Why {
    because(format_args!("{failure}"))
}

/// Checks that two values are equal.
pub(crate) fn equal<T: PartialEq + core::fmt::Debug>(found: &T, wanted: &T) -> Outcome {
    check(found == wanted, format_args!("{found:?} instead of {wanted:?}"))
}

/// Checks a condition.
pub(crate) fn check(good: bool, otherwise: impl Display) -> Outcome {
    if good { Ok(()) } else { Err(because(format_args!("{otherwise}"))) }
}
