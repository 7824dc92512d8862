//! The load spec: what to start, decided once for an instance, and used for each of its lives.

use std::path::PathBuf;

use omniglot_core::{Description, Error, Result, Text};

use super::files;
use super::images;
use super::libraries::Libraries;
use crate::Options;

/// All that a start needs. Paths are absolute and links are followed, so that a reset
/// finds the same files though the host's working directory may have changed.
#[derive(Debug)]
pub(super) struct LoadSpec {
    pub(super) description: Description,
    pub(super) options: Options,
    pub(super) libraries: Libraries,
    /// What the worker may read.
    pub(super) readable: Vec<PathBuf>,
}

impl LoadSpec {
    /// Checks what the user named.
    pub(super) fn new(description: &Description, options: &Options) -> Result<Self> {
        let libraries = Libraries::check(options)?;
        let directories: std::io::Result<Vec<_>> =
            options.library_directories.iter().map(std::path::absolute).collect();
        let directories = directories
            .map_err(|_| Error::Load(Text::new("a library directory has an empty path")))?;
        let readable = files::readable(&directories, &libraries.files);
        Ok(Self { description: *description, options: options.clone(), libraries, readable })
    }

    /// Returns true if workers of the two are interchangeable.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let (own, others) = (&self.description, &other.description);
        images::are_same(own.image, others.image)
            && (own.name, own.shims, own.slots) == (others.name, others.shims, others.slots)
            && own.functions == others.functions
            && self.options == other.options
            && self.libraries == other.libraries
            && self.readable == other.readable
    }
}
