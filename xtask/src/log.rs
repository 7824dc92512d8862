//! Writes logs of the commands that xtask runs, and reads them while they grow.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};

/// The number of a log's last lines that are shown when something fails.
const TAIL_LINES: usize = 60;

/// Creates an empty log at `path`, with its directory.
pub(crate) fn create(path: &Path) -> Result<File> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)
            .with_context(|| format!("could not create {}", directory.display()))?;
    }
    File::create(path).with_context(|| format!("could not create {}", path.display()))
}

/// The end of the log at `path`, with a frame that names the file.
pub(crate) fn tail(path: &Path) -> String {
    excerpt(path, TAIL_LINES)
}

/// The whole log at `path`, with a frame that names the file.
pub(crate) fn whole(path: &Path) -> String {
    excerpt(path, usize::MAX)
}

fn excerpt(path: &Path, count: usize) -> String {
    let shown = path.display();
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => return format!("(could not read {shown}: {error})"),
    };
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let skipped = lines.len().saturating_sub(count);
    let part = if skipped == 0 { "all" } else { "the end" };
    format!("---- {part} of {shown} ----\n{}\n----", lines[skipped..].join("\n"))
}

/// Reads a log line by line while another process writes to it.
pub(crate) struct Follower {
    file: File,
    /// The beginning of a line that is not complete yet.
    unfinished: Vec<u8>,
}

impl Follower {
    /// Opens the log at `path`, and starts at its beginning.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file =
            File::open(path).with_context(|| format!("could not open {}", path.display()))?;
        Ok(Self { file, unfinished: Vec::new() })
    }

    /// Passes on each line that was completed since the last call.
    pub(crate) fn read(&mut self, mut each_line: impl FnMut(&str)) -> Result<()> {
        self.file.read_to_end(&mut self.unfinished).context("could not read a log")?;
        let Some(last) = self.unfinished.iter().rposition(|&byte| byte == b'\n') else {
            return Ok(());
        };
        let rest = self.unfinished.split_off(last + 1);
        let complete = std::mem::replace(&mut self.unfinished, rest);
        String::from_utf8_lossy(&complete).lines().for_each(&mut each_line);
        Ok(())
    }

    /// Passes on what follows the last line break.
    pub(crate) fn finish(self, mut each_line: impl FnMut(&str)) {
        if !self.unfinished.is_empty() {
            each_line(&String::from_utf8_lossy(&self.unfinished));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::{Follower, create, excerpt};
    use crate::testing::TempDir;

    #[test]
    fn lines_are_handed_on_once_they_are_complete() {
        let directory = TempDir::new();
        let path = directory.path().join("new/some.log");
        let mut log = create(&path).unwrap();
        let mut follower = Follower::open(&path).unwrap();
        let mut seen: Vec<String> = Vec::new();

        log.write_all(b"one\ntw").unwrap();
        follower.read(|line| seen.push(line.into())).unwrap();
        assert_eq!(seen, ["one"]);

        log.write_all(b"o\n\xffthree").unwrap();
        follower.read(|line| seen.push(line.into())).unwrap();
        assert_eq!(seen, ["one", "two"]);

        follower.finish(|line| seen.push(line.into()));
        assert_eq!(seen, ["one", "two", "\u{fffd}three"]);
    }

    #[test]
    fn an_excerpt_is_the_end_of_a_log() {
        let directory = TempDir::new();
        let path = directory.path().join("some.log");
        fs::write(&path, "a\nb\nc\n").unwrap();
        assert!(excerpt(&path, 2).contains("----\nb\nc\n----"));
        assert!(excerpt(&path, 3).starts_with("---- all of"));
    }

    #[test]
    fn a_log_that_cannot_be_read_is_said_to_be_so() {
        let directory = TempDir::new();
        assert!(excerpt(&directory.path().join("none"), 1).starts_with("(could not read"));
    }
}
