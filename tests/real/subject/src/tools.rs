//! Runs commands on this machine.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result, bail};

/// Runs a command with these bytes as its standard input. Returns its standard output.
///
/// # Errors
/// If it is missing or fails, with its error messages.
pub fn tool(program: &str, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("could not start {program}"))?;
    let mut to = child.stdin.take().context("it has no standard input")?;
    let output = thread::scope(|scope| {
        // A command may close its input early.
        scope.spawn(move || drop(to.write_all(input)));
        child.wait_with_output()
    })?;
    if !output.status.success() {
        bail!("{program} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}

/// A directory for commands that need files. It is removed when this is dropped.
#[derive(Debug)]
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    /// Makes an empty directory.
    ///
    /// # Errors
    /// If that fails.
    pub fn new() -> Result<Self> {
        Ok(Self(tempfile::tempdir()?))
    }

    /// Returns the path of a file with this name.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, and returns its path.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<String> {
        std::fs::write(self.path(name), bytes)?;
        self.text(name)
    }

    /// Returns the contents of a file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        std::fs::read(self.path(name)).with_context(|| format!("no file {name}"))
    }

    /// Returns the path of a file as text.
    ///
    /// # Errors
    /// If it is not UTF-8.
    pub fn text(&self, name: &str) -> Result<String> {
        let path: &Path = &self.path(name);
        Ok(path.to_str().context("a directory's name is not UTF-8")?.to_owned())
    }
}
