//! A file for a guest: of the guest's system, or of this machine.

use std::path::{Path, PathBuf};

use super::tree::below;

/// A file for a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted<'a> {
    /// The root directory of the system that contains it.
    pub(super) root: &'a Path,
    /// Its path for programs with this root directory.
    pub(super) path: PathBuf,
}

impl<'a> Wanted<'a> {
    /// A file of this machine.
    pub(super) fn here(path: PathBuf) -> Self {
        Self { root: Path::new("/"), path }
    }

    /// A file of the system at `root` if it exists there, and of this machine otherwise.
    pub(super) fn first(root: &'a Path, path: PathBuf) -> Self {
        if below(root, &path).exists() { Self { root, path } } else { Self::here(path) }
    }
}
