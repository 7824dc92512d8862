//! Passes on the output of a program in a guest while it runs.
//!
//! QEMU writes the output to files, which can always be read to their ends.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The output stream of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// A growing file.
pub(super) struct Relay {
    stream: Stream,
    path: PathBuf,
    file: Option<File>,
}

impl Relay {
    /// Follows the file at `path`, which need not exist yet.
    pub(super) fn new(stream: Stream, path: &Path) -> Self {
        Self { stream, path: path.to_owned(), file: None }
    }

    /// Passes on what was written since the last call.
    pub(super) fn run(&mut self, mut print: impl FnMut(Stream, &[u8]) -> Result<()>) -> Result<()> {
        let unreadable = || format!("could not read {}", self.path.display());
        if self.file.is_none() {
            self.file = match File::open(&self.path) {
                Ok(file) => Some(file),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error).with_context(unreadable),
            };
        }
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let mut buffer = [0; 1 << 16];
        loop {
            match file.read(&mut buffer).with_context(unreadable)? {
                0 => return Ok(()),
                length => print(self.stream, &buffer[..length])?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::{Relay, Stream};
    use crate::testing::TempDir;

    #[test]
    fn all_bytes_arrive_as_they_are() {
        let directory = TempDir::new();
        let path = directory.path().join("out");
        let mut relay = Relay::new(Stream::Err, &path);
        let mut seen = Vec::new();
        let mut read = |relay: &mut Relay| {
            let print = |stream, bytes: &[u8]| {
                assert_eq!(stream, Stream::Err);
                seen.extend_from_slice(bytes);
                Ok(())
            };
            relay.run(print).unwrap();
            seen.len()
        };
        assert_eq!(read(&mut relay), 0);
        let mut file = File::create(&path).unwrap();
        file.write_all(&vec![b'\r'; 100_000]).unwrap();
        assert_eq!(read(&mut relay), 100_000);
        file.write_all(b"\0\n\xff").unwrap();
        assert_eq!(read(&mut relay), 100_003);
        assert_eq!(seen[100_000..], *b"\0\n\xff");
    }
}
