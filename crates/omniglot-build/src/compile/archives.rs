//! Finds static archives: those that the user names, and those of libraries.

use std::path::{Path, PathBuf};

use super::Compiler;
use crate::error::{Error, Result};
use crate::paths;

impl Compiler<'_> {
    /// The archives that the user names.
    pub(crate) fn archives(&self) -> Result<Vec<PathBuf>> {
        self.options.archives.iter().map(|path| self.named(path)).collect()
    }

    /// A file of the package or, if it is a bare name, of a directory that linkers search.
    fn named(&self, path: &Path) -> Result<PathBuf> {
        let own = paths::in_package(path);
        if own.is_file() {
            return Ok(own);
        }
        let name = path.file_name().and_then(|name| name.to_str());
        let bare = name.filter(|name| Path::new(name) == path);
        let found = bare.map_or(Ok(None), |name| self.find_archive(&self.link.searches, name))?;
        found.ok_or_else(|| Error::ArchiveMissing { path: path.to_owned() })
    }

    /// An archive in some directories, or in those of the compiler.
    pub(crate) fn find_archive(&self, searches: &[PathBuf], name: &str) -> Result<Option<PathBuf>> {
        let in_searches = searches.iter().map(|directory| directory.join(name));
        if let Some(found) = in_searches.into_iter().find(|path| path.is_file()) {
            return Ok(Some(found));
        }
        let mut ask = self.tool.to_command();
        ask.arg(format!("-print-file-name={name}"));
        let output = self.run(ask)?;
        // A compiler that knows no such file prints the name as it is.
        let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        Ok((path.is_absolute() && path.is_file()).then_some(path))
    }
}
