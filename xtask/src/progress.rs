//! Showing that a long step is still going, on standard error.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a step's latest line is shown where there is no terminal to redraw it on.
const PLAIN_INTERVAL: Duration = Duration::from_secs(20);

/// A step that is under way.
///
/// On a terminal this is a spinner beside the step's latest line of output; elsewhere, such as in
/// the log of a CI job, the latest line is printed now and then.
pub(crate) struct Progress {
    name: String,
    started: Instant,
    shown: Instant,
    spinner: Option<ProgressBar>,
}

impl Progress {
    /// Shows that the step called `name` begins.
    pub(crate) fn start(name: &str) -> Self {
        let now = Instant::now();
        let spinner = stderr().is_terminal().then(|| spinner(name));
        if spinner.is_none() {
            eprintln!("{name} ...");
        }
        Self { name: name.to_owned(), started: now, shown: now, spinner }
    }

    /// Shows `line` as the latest that the step has printed.
    pub(crate) fn line(&mut self, line: &str) {
        let line = line.trim();
        if line.is_empty() {
            return;
        }
        if let Some(spinner) = &self.spinner {
            spinner.set_message(line.to_owned());
        } else if self.shown.elapsed() >= PLAIN_INTERVAL {
            self.shown = Instant::now();
            eprintln!("{} ({} s): {line}", self.name, self.started.elapsed().as_secs());
        }
    }

    /// Takes the spinner away and says how long the step took.
    pub(crate) fn finish(self) -> Duration {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
        self.started.elapsed()
    }
}

fn spinner(name: &str) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_prefix(name.to_owned());
    // A template that is not valid only costs the looks: the default style does as well.
    if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {elapsed}  {wide_msg}") {
        spinner.set_style(style);
    }
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}
