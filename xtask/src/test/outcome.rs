//! Judges the run of a suite.

use std::process::ExitStatus;

use anyhow::Result;

use super::results::{Results, Tally};

/// The result of a suite's run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The number of tests by result. Each other problem counts as a failure.
    pub(super) tally: Tally,
    /// The problems, one line each.
    pub(super) problems: Vec<String>,
}

impl Outcome {
    /// Judges the `results` that cargo printed, and how it `ended`.
    pub(super) fn new(results: Results, ended: Result<ExitStatus>) -> Self {
        let mut problems = Vec::new();
        let succeeded = matches!(&ended, Ok(status) if status.success());
        if !succeeded {
            // A test program may use another harness than Rust's, so a lack of results alone is not
            // a failure.
            problems.extend(results.silent.iter().map(|name| format!("no result from: {name}")));
        }
        let nothing_failed = results.tally.failed == 0 && problems.is_empty();
        if nothing_failed {
            problems.extend(unexplained(&results, ended));
        }
        let mut tally = results.tally;
        tally.failed += problems.len();
        problems.extend(results.failed.iter().map(|name| format!("failed: {name}")));
        Self { tally, problems }
    }

    /// The same as a warning: failures count as skipped, and are still listed.
    pub(super) fn as_warning(&self) -> Self {
        let Tally { passed, failed, skipped } = self.tally;
        let tally = Tally { passed, failed: 0, skipped: skipped + failed };
        let problems = self.problems.iter().map(|problem| {
            format!("WARNING, not counted since this changes from day to day: {problem}")
        });
        Self { tally, problems: problems.collect() }
    }
}

/// The reason why a run without failed tests is not a success, if it is not.
fn unexplained(results: &Results, ended: Result<ExitStatus>) -> Option<String> {
    match ended {
        Err(error) => Some(format!("{error:#}")),
        Ok(status) if !status.success() => {
            let error = results.error.as_deref().unwrap_or("it gave no reason");
            Some(format!("cargo test failed ({status}): {error}"))
        }
        Ok(_) if results.tally == Tally::default() => Some("it contains no tests".to_owned()),
        Ok(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use anyhow::anyhow;

    use super::{ExitStatus, Outcome, Result, Results, Tally};

    const FIVE_PASSED: Tally = Tally { passed: 5, failed: 0, skipped: 0 };

    fn exit(code: i32) -> Result<ExitStatus> {
        Ok(ExitStatus::from_raw(code << 8))
    }

    #[test]
    fn success_is_success() {
        let results = Results { tally: FIVE_PASSED, ..Results::default() };
        let outcome = Outcome::new(results, exit(0));
        assert_eq!(outcome, Outcome { tally: FIVE_PASSED, problems: Vec::new() });
    }

    #[test]
    fn a_failed_test_is_counted_once_and_named() {
        let tally = Tally { failed: 1, ..FIVE_PASSED };
        let results = Results { tally, failed: vec!["a::b".into()], ..Results::default() };
        let outcome = Outcome::new(results, exit(101));
        assert_eq!(outcome, Outcome { tally, problems: vec!["failed: a::b".into()] });
    }

    #[test]
    fn a_suite_that_does_not_build_is_one_failure_with_its_reason() {
        let results = Results { error: Some("error[E1]: oh".into()), ..Results::default() };
        let outcome = Outcome::new(results, exit(101));
        assert_eq!(outcome.tally.failed, 1);
        assert!(outcome.problems[0].contains("error[E1]: oh"), "{outcome:?}");
    }

    #[test]
    fn each_program_that_crashes_is_one_failure() {
        let silent = vec!["Running a".into(), "Running b".into()];
        let outcome =
            Outcome::new(Results { tally: FIVE_PASSED, silent, ..Results::default() }, exit(101));
        assert_eq!(outcome.tally, Tally { failed: 2, ..FIVE_PASSED });
        assert_eq!(outcome.problems, ["no result from: Running a", "no result from: Running b"]);
    }

    #[test]
    fn a_failure_without_any_reason_is_still_one() {
        let outcome = Outcome::new(Results { tally: FIVE_PASSED, ..Results::default() }, exit(1));
        assert_eq!(outcome.tally.failed, 1);
    }

    #[test]
    fn a_warning_fails_nothing_and_hides_nothing() {
        let tally = Tally { failed: 2, skipped: 1, ..FIVE_PASSED };
        let results = Results { tally, failed: vec!["a".into(), "b".into()], ..Results::default() };
        let warning = Outcome::new(results, exit(101)).as_warning();
        assert_eq!(warning.tally, Tally { passed: 5, failed: 0, skipped: 3 });
        assert!(warning.problems[1].starts_with("WARNING"), "{warning:?}");
        assert!(warning.problems[1].ends_with("failed: b"), "{warning:?}");
    }

    #[test]
    fn a_suite_that_cannot_be_run_is_one_failure() {
        let outcome = Outcome::new(Results::default(), Err(anyhow!("no cargo")));
        assert_eq!(outcome.tally.failed, 1);
        assert_eq!(outcome.problems, ["no cargo"]);
    }

    #[test]
    fn a_suite_without_tests_is_one_failure() {
        assert_eq!(Outcome::new(Results::default(), exit(0)).tally.failed, 1);
    }
}
