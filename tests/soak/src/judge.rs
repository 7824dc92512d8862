//! Checks which errors the sabotage may cause, and that their messages help.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::{Result, ensure};
use omniglot::Error;

/// Checks that a failure of the worker or the system explains an error, and returns its kind.
pub(crate) fn check(error: &Error) -> Result<()> {
    let is_trouble = matches!(
        error,
        Error::Fault(_)
            | Error::Exited { .. }
            | Error::Timeout { .. }
            | Error::Poisoned { .. }
            | Error::System { .. }
            | Error::Unsupported { .. }
            | Error::Load(_)
            | Error::HostOutOfMemory { .. }
    );
    ensure!(is_trouble, "an error that trouble does not explain: {error:?}");
    let text = error.to_string();
    let is_bare = matches!(error, Error::System { .. }) && !text.ends_with(')');
    let is_useful = text.len() > 20 && !text.contains("unknown") && !is_bare;
    ensure!(is_useful, "an error that says nothing: {text:?} ({error:?})");
    Ok(())
}

/// Counts of what happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    counts: BTreeMap<String, u64>,
    /// The duration of the longest operation.
    longest: Duration,
}

impl Tally {
    pub(crate) fn count(&mut self, what: impl Into<String>) {
        *self.counts.entry(what.into()).or_default() += 1;
    }

    /// Checks an error, and counts its kind.
    pub(crate) fn error(&mut self, error: &Error) -> Result<()> {
        check(error)?;
        let name = format!("{error:?}");
        let kind = name.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
        self.count(format!("error {kind}"));
        Ok(())
    }

    pub(crate) fn time(&mut self, taken: Duration) {
        self.longest = self.longest.max(taken);
    }

    pub(crate) fn of(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (what, count) in &other.counts {
            *self.counts.entry(what.clone()).or_default() += count;
        }
        self.time(other.longest);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries: Vec<_> =
            self.counts.iter().map(|(what, count)| format!("{what}: {count}")).collect();
        write!(out, "{}; longest operation {:.1?}", entries.join(", "), self.longest)
    }
}
