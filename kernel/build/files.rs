//! Finding files.

use std::error::Error;
use std::path::{Path, PathBuf};

/// Lists the C files in a directory, sorted by name.
pub(crate) fn c_files(directory: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "c") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
