//! Judges a test run without a defence.

use std::collections::BTreeMap;

/// The marker of the line that ends a test's output. Status and name follow it.
pub(super) const END: &str = "@@ended";

/// The result of a test without a defence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The test failed, as it has to, with this message.
    Failed(String),
    /// The test passed, so nothing shows that the defence is needed.
    Passed,
    /// The result is not known, for this reason.
    Unclear(String),
}

impl Verdict {
    /// Judges the exit status and output of a test program.
    pub(super) fn of(status: u8, output: &str) -> Self {
        let has = |words: &str| output.lines().any(|line| line.contains(words));
        if status == 0 && has("test result: ok. 1 passed") {
            return Self::Passed;
        }
        if status != 0 && has("... FAILED") {
            return Self::Failed(reason(output).unwrap_or("it gave no reason").to_owned());
        }
        match status.checked_sub(128) {
            Some(signal) if signal != 0 => Self::Failed(format!("signal {signal} ended it")),
            _ => Self::Unclear(format!("status {status}: {}", output.trim_end())),
        }
    }

    /// The test has no result.
    pub(super) fn missing() -> Self {
        Self::Unclear("the machine failed before it ran".to_owned())
    }

    pub(super) const fn is_failure(&self) -> bool {
        matches!(self, Self::Failed(_))
    }

    /// A one-line description for the user.
    pub(super) fn about(&self, test: &str) -> String {
        match self {
            Self::Failed(reason) => format!("{test} failed without it: {reason}"),
            Self::Passed => format!("ERROR: {test} passes without it"),
            Self::Unclear(why) => format!("ERROR: {test}: {why}"),
        }
    }
}

/// Judges several tests, each of which ends with a marker line.
pub(super) fn all(output: &str) -> BTreeMap<String, Verdict> {
    let mut verdicts = BTreeMap::new();
    let mut own = String::new();
    for line in output.lines() {
        match line.strip_prefix(END).and_then(|rest| rest.trim().split_once(' ')) {
            Some((status, name)) => {
                let verdict = Verdict::of(status.parse().unwrap_or(u8::MAX), &own);
                verdicts.insert(name.to_owned(), verdict);
                own.clear();
            }
            None => own.extend([line, "\n"]),
        }
    }
    verdicts
}

/// The first line of a failed test's message, after the line with its name and place.
fn reason(output: &str) -> Option<&str> {
    let own = output.lines().skip_while(|line| !line.starts_with("---- ")).skip(1);
    own.map(str::trim).find(|line| !line.is_empty() && !line.starts_with("thread '"))
}

#[cfg(test)]
mod tests {
    use super::{Verdict, all};

    #[test]
    fn a_failed_test_is_what_is_wanted() {
        let output = "test a ... FAILED\n\nfailures:\n\n---- a ----\n\nthe attack succeeded\n";
        assert_eq!(Verdict::of(101, output), Verdict::Failed("the attack succeeded".to_owned()));
        let output = "test a ... FAILED\n---- a stdout ----\nthread 'a' panicked at b:1:\nleft\n";
        assert_eq!(Verdict::of(101, output), Verdict::Failed("left".to_owned()));
        assert!(Verdict::of(139, "running 1 test\n").is_failure(), "it crashed");
    }

    #[test]
    fn a_test_that_passes_is_an_error() {
        assert_eq!(Verdict::of(0, "test result: ok. 1 passed; 0 failed"), Verdict::Passed);
    }

    #[test]
    fn each_test_has_its_own_output() {
        let output = "test result: ok. 1 passed\n@@ended 0 a\ntest b ... FAILED\n@@ended 101 b\n";
        let verdicts = all(output);
        assert_eq!(verdicts.get("a"), Some(&Verdict::Passed));
        assert!(verdicts.get("b").is_some_and(Verdict::is_failure));
        assert_eq!(verdicts.len(), 2);
    }

    #[test]
    fn what_did_not_run_shows_nothing() {
        for (status, output) in [(0, "test result: ok. 0 passed"), (101, "oh"), (128, ""), (2, "")]
        {
            assert!(
                matches!(Verdict::of(status, output), Verdict::Unclear(_)),
                "{status} {output}"
            );
        }
    }
}
