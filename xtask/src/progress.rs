//! Shows on standard error that a long step is still running.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

/// The interval at which the latest line is printed if standard error is not a terminal.
const PLAIN_INTERVAL: Duration = Duration::from_secs(20);

/// The interval at which the latest line is redrawn on a terminal.
const DRAWN_INTERVAL: Duration = Duration::from_millis(100);

/// The number of characters of a line that are drawn, so that it stays one line on a terminal.
const COLUMNS: usize = 78;

/// Clears the current line, and moves the cursor to its beginning (console_codes(4)).
const CLEAR_LINE: &str = "\r\x1b[2K";

/// A running step.
///
/// On a terminal, the latest line of the step's output replaces the previous one. Elsewhere, such
/// as in the log of a CI job, it is printed at intervals.
pub(crate) struct Progress {
    name: String,
    started: Instant,
    shown: Instant,
    is_drawn: bool,
}

impl Progress {
    /// Shows that the step `name` has started.
    pub(crate) fn start(name: &str) -> Self {
        let now = Instant::now();
        let is_drawn = stderr().is_terminal();
        if is_drawn {
            eprint!("{name} ...");
        } else {
            eprintln!("{name} ...");
        }
        Self { name: name.to_owned(), started: now, shown: now, is_drawn }
    }

    /// Shows `line` as the latest output of the step.
    pub(crate) fn line(&mut self, line: &str) {
        let line = line.trim();
        let interval = if self.is_drawn { DRAWN_INTERVAL } else { PLAIN_INTERVAL };
        if line.is_empty() || self.shown.elapsed() < interval {
            return;
        }
        self.shown = Instant::now();
        let line = format!("{} ({} s): {line}", self.name, self.started.elapsed().as_secs());
        if self.is_drawn {
            eprint!("{CLEAR_LINE}{}", line.chars().take(COLUMNS).collect::<String>());
        } else {
            eprintln!("{line}");
        }
    }

    /// Removes the line, and returns the time that the step took.
    pub(crate) fn finish(self) -> Duration {
        if self.is_drawn {
            eprint!("{CLEAR_LINE}");
        }
        self.started.elapsed()
    }
}
