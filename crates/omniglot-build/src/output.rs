//! Where output goes, and how it is written.

use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::{Error, Result};

/// The directory for output: in the one that the user named, or in cargo's.
pub(crate) fn directory(given: Option<&Path>) -> Result<PathBuf> {
    let given = given.map(Path::to_owned);
    let out = given.or_else(|| env::var_os("OUT_DIR").map(PathBuf::from));
    let directory = out.ok_or(Error::NoOutDir)?.join("omniglot");
    match fs::create_dir_all(&directory) {
        Ok(()) => Ok(directory),
        Err(error) => Err(Error::File { path: directory, error }),
    }
}

/// Writes a file unless it already has this content, so that cargo sees no change.
pub(crate) fn write(path: &Path, content: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    fs::write(path, content).map_err(|error| Error::File { path: path.to_owned(), error })
}
