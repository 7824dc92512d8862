//! A copy of the workspace's sources that can be mutated, and its build directory.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::table::Program;
use crate::workspace::Workspace;
use crate::{cargo, watch};

/// The copied sources, and a directory to build them in. Both are kept between runs.
#[derive(Debug)]
pub(super) struct Scratch {
    sources: PathBuf,
    target: PathBuf,
    log: PathBuf,
}

impl Scratch {
    /// Updates the copy.
    pub(super) fn prepare(workspace: &Workspace) -> Result<Self> {
        let directory = workspace.target("defences");
        let scratch = Self {
            sources: directory.join("sources"),
            target: directory.join("build"),
            log: workspace.log("defences"),
        };
        copy_all(workspace.root(), &scratch.sources)?;
        Ok(scratch)
    }

    /// The directory of the copy.
    pub(super) fn sources(&self) -> &Path {
        &self.sources
    }

    /// Replaces the contents of a file.
    pub(super) fn put(&self, file: &Path, text: &str) -> Result<()> {
        write_if_new(&self.sources.join(file), text.as_bytes())
    }

    /// Builds a test program, and returns its path.
    pub(super) fn build(&self, program: Program) -> Result<PathBuf> {
        let mut command = cargo::command();
        command.current_dir(&self.sources).env("CARGO_TARGET_DIR", &self.target);
        command.args(["test", "--locked", "--no-run"]);
        command.args(["--package", program.package, "--test", program.target]);
        command.env("CARGO_TERM_COLOR", "never").env("CARGO_TERM_QUIET", "false");
        watch::step(&format!("Building {program}"), &mut command, &self.log)?;
        let output = fs::read_to_string(&self.log).context("could not read cargo's output")?;
        let path = output.lines().rev().find_map(executable);
        path.map(|path| self.sources.join(path)).with_context(|| format!("there is no {program}"))
    }
}

/// The path in a line such as `  Executable tests/escapes.rs (target/debug/deps/escapes-1)`.
fn executable(line: &str) -> Option<&str> {
    line.trim_start().strip_prefix("Executable ")?.split_once('(')?.1.strip_suffix(')')
}

/// Copies a source tree without build outputs and git's own files.
fn copy_all(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("could not create {}", to.display()))?;
    let entries =
        fs::read_dir(from).with_context(|| format!("could not read {}", from.display()))?;
    for entry in entries {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        if name == "target" || name == ".git" {
            continue;
        }
        let (from, to) = (entry.path(), to.join(&name));
        if kind.is_dir() {
            copy_all(&from, &to)?;
        } else if kind.is_file() {
            let bytes =
                fs::read(&from).with_context(|| format!("could not read {}", from.display()))?;
            write_if_new(&to, &bytes)?;
        } else if kind.is_symlink() {
            link_if_new(&from, &to)?;
        }
    }
    Ok(())
}

/// Copies a symbolic link, which leads to the same place in the copy if it is relative.
fn link_if_new(from: &Path, to: &Path) -> Result<()> {
    let target =
        fs::read_link(from).with_context(|| format!("could not read {}", from.display()))?;
    if fs::read_link(to).is_ok_and(|before| before == target) {
        return Ok(());
    }
    symlink(&target, to).with_context(|| format!("could not make the link {}", to.display()))
}

/// Writes a file only if its contents change, since cargo compares modification times.
fn write_if_new(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|before| before == bytes) {
        return Ok(());
    }
    fs::write(path, bytes).with_context(|| format!("could not write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::{copy_all, executable};
    use crate::testing::TempDir;

    #[test]
    fn links_are_copied_as_links() -> Result<(), Box<dyn Error>> {
        let place = TempDir::new();
        let [from, to] = ["from", "to"].map(|name| place.path().join(name));
        fs::create_dir_all(from.join("real"))?;
        fs::write(from.join("real/file"), "text")?;
        symlink("real", from.join("link"))?;
        for _ in 0..2 {
            copy_all(&from, &to)?;
            assert_eq!(fs::read_to_string(to.join("link/file"))?, "text");
            assert!(to.join("link").is_symlink());
        }
        Ok(())
    }

    #[test]
    fn the_executable_is_found() {
        let line = "  Executable tests/a.rs (target/debug/deps/a-1)";
        assert_eq!(executable(line), Some("target/debug/deps/a-1"));
        assert_eq!(executable("   Compiling a v1 (/here)"), None);
    }
}
