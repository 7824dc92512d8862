//! Parses test results from the output of `cargo test`.

use std::fmt;
use std::ops::AddAssign;

/// The number of tests by result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) skipped: usize,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(formatter, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

/// The results in the output of `cargo test`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Results {
    /// The sum over all test programs.
    pub(super) tally: Tally,
    /// The names of the failed tests.
    pub(super) failed: Vec<String>,
    /// The test programs that ended without a result.
    pub(super) silent: Vec<String>,
    /// The first error of cargo or the compiler.
    pub(super) error: Option<String>,
}

/// Parses the output of `cargo test` line by line.
#[derive(Default)]
pub(super) struct Reader {
    results: Results,
    /// The running test program, unless it has already printed a result.
    running: Option<String>,
}

impl Reader {
    /// Processes the next line.
    pub(super) fn line(&mut self, line: &str) {
        if let Some(tally) = result(line) {
            self.results.tally += tally;
            self.running = None;
        } else if let Some(program) = program(line) {
            self.end_program();
            self.running = Some(program.to_owned());
        } else if let Some(test) = failed_test(line) {
            self.results.failed.push(test.to_owned());
        } else if self.results.error.is_none() && is_error(line) {
            self.results.error = Some(line.to_owned());
        }
    }

    /// Returns the results in all lines so far.
    pub(super) fn finish(mut self) -> Results {
        self.end_program();
        self.results
    }

    fn end_program(&mut self) {
        self.results.silent.extend(self.running.take());
    }
}

/// The counts in a line such as `test result: ok. 4 passed; 0 failed; 1 ignored; ...`.
///
/// The text need not be at the beginning of the line: a C library may have printed something there
/// without a line break.
fn result(line: &str) -> Option<Tally> {
    let (_, counts) = line.split_once("test result: ")?.1.split_once(". ")?;
    let count = |what: &str| {
        let words = counts.split(';').map(str::trim);
        let mut numbers = words.filter_map(|words| words.strip_suffix(what)?.trim().parse().ok());
        numbers.next()
    };
    Some(Tally { passed: count("passed")?, failed: count("failed")?, skipped: count("ignored")? })
}

/// The test program that cargo is starting, according to the line.
fn program(line: &str) -> Option<&str> {
    let announcement = line.strip_prefix("  ")?.trim_start();
    let is_program = announcement.starts_with("Running ") && announcement.ends_with(')');
    (is_program || announcement.starts_with("Doc-tests ")).then_some(announcement)
}

/// The name of the test in a line such as `test a::b ... FAILED`.
fn failed_test(line: &str) -> Option<&str> {
    line.strip_prefix("test ")?.strip_suffix(" ... FAILED")
}

/// Returns true if `line` is an error of cargo or the compiler.
fn is_error(line: &str) -> bool {
    line.starts_with("error: ") || line.starts_with("error[")
}

#[cfg(test)]
mod tests {
    use super::{Reader, Results, Tally, result};

    fn read(output: &str) -> Results {
        let mut reader = Reader::default();
        output.lines().for_each(|line| reader.line(line));
        reader.finish()
    }

    fn tally(passed: usize, failed: usize, skipped: usize) -> Tally {
        Tally { passed, failed, skipped }
    }

    #[test]
    fn a_result_line_is_understood() {
        let good = "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; \
                    finished in 0.05s";
        assert_eq!(result(good), Some(tally(12, 0, 1)));
        let bad = "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(result(bad), Some(tally(1, 2, 0)));
    }

    #[test]
    fn a_result_behind_unfinished_output_counts() {
        let line = "hello from Ctest result: ok. 3 passed; 0 failed; 0 ignored; 0 measured";
        assert_eq!(result(line), Some(tally(3, 0, 0)));
    }

    #[test]
    fn what_only_looks_like_a_result_does_not_count() {
        for line in ["test result: ok", "test result: ok. many passed; 0 failed; 0 ignored", ""] {
            assert_eq!(result(line), None, "{line}");
        }
    }

    #[test]
    fn the_results_of_all_programs_add_up() {
        let results = read(
            "     Running unittests src/lib.rs (target/debug/deps/a-1)\n\
             \n\
             running 2 tests\n\
             test one ... ok\n\
             test mine::two ... FAILED\n\
             \n\
             test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n\
             \n\
             \x20  Doc-tests a\n\
             test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n\
             test result: ok. 1 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out\n\
             error: 1 target failed:\n",
        );
        assert_eq!(results.tally, tally(5, 1, 2));
        assert_eq!(results.failed, ["mine::two"]);
        assert_eq!(results.silent, [""; 0]);
    }

    #[test]
    fn a_program_without_a_result_is_noticed() {
        let results = read(
            "     Running unittests src/lib.rs (target/debug/deps/a-1)\n\
             running 2 tests\n\
             \x20    Running tests/more.rs (target/debug/deps/more-1)\n\
             test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n",
        );
        assert_eq!(results.silent, ["Running unittests src/lib.rs (target/debug/deps/a-1)"]);
        assert_eq!(results.tally, tally(1, 0, 0));
    }

    #[test]
    fn the_first_error_is_kept() {
        let results = read("warning: hm\nerror[E0425]: no such thing\nerror: could not compile");
        assert_eq!(results.error.as_deref(), Some("error[E0425]: no such thing"));
    }

    #[test]
    fn a_tally_mentions_skipped_tests_only_if_there_are_any() {
        assert_eq!(tally(4, 1, 0).to_string(), "4 passed, 1 failed");
        assert_eq!(tally(4, 0, 2).to_string(), "4 passed, 0 failed, 2 skipped");
    }
}
