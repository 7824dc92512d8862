//! Where output goes, and how it is written.

use std::env;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{self, Path, PathBuf};

use crate::error::{Error, Result};

/// The directory for output: in the one that the user named, or in cargo's.
pub(crate) fn directory(given: Option<&Path>) -> Result<PathBuf> {
    let given = given.map(Path::to_owned);
    let out = given.or_else(|| env::var_os("OUT_DIR").map(PathBuf::from));
    let directory = out.ok_or(Error::NoOutDir)?.join("omniglot");
    create(&directory)?;
    Ok(directory)
}

/// Tells cargo where the generated file is, for `omniglot::include_library!`. So that one finds
/// what this build script generated, and never what an earlier one left behind.
pub(crate) fn tell_place(directory: &Path, name: &str) -> Result<()> {
    let file = directory.join(format!("{name}.rs"));
    let file = path::absolute(&file).map_err(|error| Error::File { path: file, error })?;
    println!("cargo:rustc-env=OMNIGLOT_LIBRARY_{name}={}", file.display());
    Ok(())
}

/// The variables by which users set something for a target: `CC` and those that the crate `cc`
/// prefers to it.
pub(crate) fn variables(name: &str, target: &str) -> [String; 4] {
    let word = target.replace('-', "_");
    [
        format!("{name}_{target}"),
        format!("{name}_{word}"),
        format!("TARGET_{name}"),
        name.to_owned(),
    ]
}

fn create(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).map_err(|error| Error::File { path: directory.to_owned(), error })
}

/// Writes a file unless it already has this content, so that cargo sees no change.
pub(crate) fn write(path: &Path, content: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    fs::write(path, content).map_err(|error| Error::File { path: path.to_owned(), error })
}

/// A library's own directory for all intermediate files.
///
/// While it exists, no other thread or process uses it for a library of the same name and output
/// directory: they wait. So the files of one library fit each other, even if several builds run at
/// the same time.
#[derive(Debug)]
pub(crate) struct Workplace {
    output: PathBuf,
    directory: PathBuf,
    _lock: File,
}

impl Workplace {
    /// Waits until no other build uses it. No library's file has this name, which is not an
    /// identifier.
    pub(crate) fn new(output: &Path, name: &str) -> Result<Self> {
        let directory = output.join(format!("{name}.build"));
        create(&directory)?;
        let path = directory.join("lock");
        let _lock = lock(&path).map_err(|error| Error::File { path, error })?;
        Ok(Self { output: output.to_owned(), directory, _lock })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where to make a file.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Moves a finished file to the output, in one step, unless the same is there.
    pub(crate) fn publish(&self, name: &str) -> Result<()> {
        let (from, to) = (self.file(name), self.output.join(name));
        let failed = |error| Error::File { path: to.clone(), error };
        let is_same = fs::read(&to).is_ok_and(|old| fs::read(&from).is_ok_and(|new| new == old));
        if is_same { Ok(()) } else { fs::rename(&from, &to).map_err(failed) }
    }

    /// Writes a finished file to the output, likewise.
    pub(crate) fn publish_text(&self, name: &str, content: &str) -> Result<()> {
        write(&self.file(name), content)?;
        self.publish(name)
    }
}

/// `ENOLCK` of errno(3): a file system over the network without a lock manager says so.
const NO_LOCKS: i32 = 37;

/// Some file systems have no locks; there, users must avoid builds at the same time.
fn lock(path: &Path) -> std::io::Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(path)?;
    match file.lock() {
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(file),
        Err(error) if error.raw_os_error() == Some(NO_LOCKS) => Ok(file),
        locked => locked.map(|()| file),
    }
}
