//! The user's libraries: looked at before a worker is started, for clear messages.

use std::fmt::Write;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use omniglot_core::{Error, Result, Text};

use super::images::is_loadable;
use crate::options::Options;

/// How much of a file to read: its header.
const HEADER: u64 = 64;

/// The libraries as the worker is to open them, and the files among them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Libraries {
    /// What to pass to `dlopen`.
    pub(super) names: Vec<Vec<u8>>,
    /// The files among them, absolute.
    pub(super) files: Vec<PathBuf>,
    /// What may be missing, in the directories of plugins.
    pub(super) plugins: Vec<Vec<u8>>,
    /// `LD_LIBRARY_PATH=...`, if there are directories.
    pub(super) search_path: Option<Vec<u8>>,
}

impl Libraries {
    /// Checks what the user named.
    pub(super) fn check(options: &Options) -> Result<Self> {
        let mut libraries =
            Self { search_path: search_path(&options.library_directories)?, ..Self::default() };
        for library in &options.libraries {
            libraries.add(library)?;
        }
        for directory in &options.plugin_directories {
            libraries.add_plugins(directory)?;
        }
        Ok(libraries)
    }

    fn add(&mut self, library: &Path) -> Result<()> {
        let bytes = library.as_os_str().as_bytes();
        if bytes.is_empty() || bytes.contains(&0) {
            return Err(about(library, "is no name of a library"));
        }
        if !bytes.contains(&b'/') {
            self.names.push(bytes.to_vec());
            return Ok(());
        }
        let file = library.canonicalize().map_err(|error| about(library, &error.to_string()))?;
        check_file(library, &file)?;
        self.names.push(file.as_os_str().as_bytes().to_vec());
        self.files.push(file);
        Ok(())
    }

    /// Adds the libraries of a directory, by the paths by which they are asked for.
    fn add_plugins(&mut self, directory: &Path) -> Result<()> {
        let wrong = |error: io::Error| about(directory, &error.to_string());
        if !directory.is_absolute() {
            return Err(about(directory, "a directory of plugins must have an absolute path"));
        }
        let mut found = Vec::new();
        for entry in fs::read_dir(directory).map_err(wrong)? {
            let path = entry.map_err(wrong)?.path();
            if header(&path).is_ok_and(|header| is_loadable(&header).is_ok()) {
                found.push(path.into_os_string().into_vec());
            }
        }
        found.sort();
        self.plugins.append(&mut found);
        self.files.push(directory.canonicalize().map_err(wrong)?);
        Ok(())
    }
}

/// The beginning of a file.
pub(super) fn header(file: &Path) -> io::Result<Vec<u8>> {
    let mut header = Vec::new();
    File::open(file)?.take(HEADER).read_to_end(&mut header)?;
    Ok(header)
}

fn check_file(library: &Path, file: &Path) -> Result<()> {
    let header = header(file).map_err(|error| about(library, &error.to_string()))?;
    is_loadable(&header).map_err(|why| about(library, why))
}

/// The dynamic linker splits the variable at colons and semicolons and expands what follows a
/// dollar sign; neither can be escaped (ld.so(8)).
fn search_path(directories: &[PathBuf]) -> Result<Option<Vec<u8>>> {
    if directories.is_empty() {
        return Ok(None);
    }
    let mut path = b"LD_LIBRARY_PATH=".to_vec();
    for directory in directories {
        let absolute =
            std::path::absolute(directory).map_err(|error| about(directory, &error.to_string()))?;
        let bytes = absolute.as_os_str().as_bytes();
        if bytes.iter().any(|byte| matches!(byte, 0 | b':' | b';' | b'$')) {
            return Err(about(directory, "has a character in it that no library path may have"));
        }
        path.extend_from_slice(bytes);
        path.push(b':');
    }
    path.pop();
    Ok(Some(path))
}

fn about(path: &Path, what: &str) -> Error {
    let mut text = Text::default();
    // Writing to a Text cannot fail: it truncates.
    let _ = write!(text, "{}: {what}", path.display());
    Error::Load(Text::from_untrusted(text.as_str().as_bytes()))
}
