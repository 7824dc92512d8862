//! Showing that a long step is still going, on standard error.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

/// How often a step's latest line is shown where there is no terminal to redraw it on.
const PLAIN_INTERVAL: Duration = Duration::from_secs(20);

/// How often it is redrawn on a terminal.
const DRAWN_INTERVAL: Duration = Duration::from_millis(100);

/// How much of a line is drawn, so that it stays one line on a terminal.
const COLUMNS: usize = 78;

/// Clears the line that the cursor is in, and goes to its beginning (console_codes(4)).
const CLEAR_LINE: &str = "\r\x1b[2K";

/// A step that is under way.
///
/// On a terminal the step's latest line of output is drawn over the one before; elsewhere, such as
/// in the log of a CI job, it is printed now and then.
pub(crate) struct Progress {
    name: String,
    started: Instant,
    shown: Instant,
    is_drawn: bool,
}

impl Progress {
    /// Shows that the step called `name` begins.
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

    /// Shows `line` as the latest that the step has printed.
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

    /// Takes the line away and says how long the step took.
    pub(crate) fn finish(self) -> Duration {
        if self.is_drawn {
            eprint!("{CLEAR_LINE}");
        }
        self.started.elapsed()
    }
}
