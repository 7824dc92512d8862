//! A root directory with a few programs and the libraries that they and libpng need.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// What the host's worker loads.
const LIBRARY: &str = "libpng16.so.16";

/// Where Debian's dynamic linker looks without an index.
const PLACES: [&str; 2] = ["/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu"];

/// Directories that are mounted on, or looked for.
const EMPTY: [&str; 5] = ["dev", "etc", "proc", "sys", "tmp"];

/// Makes the directory.
pub(crate) fn make(root: &Path, programs: &[PathBuf]) -> Result<()> {
    for name in EMPTY {
        fs::create_dir_all(root.join(name))?;
    }
    let library = PLACES.iter().map(|place| Path::new(place).join(LIBRARY));
    let library = library.into_iter().find(|path| path.exists());
    let library = library.with_context(|| format!("{LIBRARY} is not installed"))?;
    for file in programs.iter().chain([&library]) {
        copy(root, file)?;
        for needed in needed_by(file)? {
            copy(root, &needed)?;
        }
    }
    Ok(())
}

/// Copies what a path leads to, to the same path below `root`.
fn copy(root: &Path, file: &Path) -> Result<()> {
    let place = root.join(file.strip_prefix("/")?);
    let parent = place.parent().context("a file has a directory")?;
    fs::create_dir_all(parent)?;
    fs::copy(file, &place).with_context(|| file.display().to_string())?;
    Ok(())
}

/// The libraries that `ldd` lists for a file, with the dynamic linker.
fn needed_by(file: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(file).output().context("could not start ldd")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if let Some(line) = text.lines().find(|line| line.ends_with("not found")) {
        bail!("{}: {}", file.display(), line.trim());
    }
    let words = text.split_whitespace();
    Ok(words.filter(|word| word.starts_with('/')).map(PathBuf::from).collect())
}
