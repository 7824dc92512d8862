//! The user's libraries: looked at before a worker is started, for clear messages.

use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use omniglot_core::{Error, Result, Text};

use super::images::is_loadable;
use crate::Options;

/// How much of a file to look at: its header.
const HEADER: u64 = 64;

/// The libraries as the worker is to open them, and the files among them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Libraries {
    /// What to pass to `dlopen`.
    pub(super) names: Vec<Vec<u8>>,
    /// The files among them, absolute.
    pub(super) files: Vec<PathBuf>,
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
}

fn check_file(library: &Path, file: &Path) -> Result<()> {
    let mut header = Vec::new();
    File::open(file)
        .and_then(|file| file.take(HEADER).read_to_end(&mut header))
        .map_err(|error| about(library, &error.to_string()))?;
    is_loadable(&header).map_err(|why| about(library, why))
}

/// The dynamic linker splits the variable at colons and semicolons and replaces what
/// follows a dollar sign, with no way to escape them (ld.so(8)).
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
    // Writing to a Text cannot fail: it cuts.
    let _ = write!(text, "{}: {what}", path.display());
    Error::Load(Text::from_untrusted(text.as_str().as_bytes()))
}
