//! Opening libraries by paths that foreign code names.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use super::images::path_of;

/// Opens a regular file, if, with links resolved, it lies where libraries are.
///
/// The host looks at no other place: the path that the worker names lies beneath a readable
/// directory, or the answer is the same whether it exists or not. From there on links may lead
/// anywhere, except those of `/proc`, which lead into the host. The file that is checked is the
/// one that is opened: it is first found without being opened, so that finding, for example, a
/// device has no effect, and no link can change in between.
pub(super) fn open_library(path: &Path, readable: &[PathBuf]) -> Result<File, Errno> {
    let path = without_dots(path).ok_or(Errno::ACCESS)?;
    if !readable.iter().any(|readable| path.starts_with(readable)) {
        return Err(Errno::ACCESS);
    }
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let found = openat2(CWD, &path, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS);
    let found = File::from(found.map_err(|_| Errno::NOENT)?);
    let place = std::fs::read_link(path_of(&found)).map_err(|_| Errno::ACCESS)?;
    let allowed = |readable: &PathBuf| {
        readable.canonicalize().is_ok_and(|readable| place.starts_with(readable))
    };
    match found.metadata() {
        Ok(metadata) if metadata.is_file() && readable.iter().any(allowed) => reopen(found.as_fd()),
        _ => Err(Errno::ACCESS),
    }
}

/// An absolute path with `.` and `..` resolved textually, without following links.
pub(super) fn without_dots(path: &Path) -> Option<PathBuf> {
    if !path.is_absolute() {
        return None;
    }
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(plain.pop()),
            other => plain.push(other),
        }
    }
    Some(plain)
}

/// The same file with a position of its own: otherwise workers would share the host's.
pub(super) fn reopen(file: BorrowedFd<'_>) -> Result<File, Errno> {
    File::open(path_of(file)).map_err(|_| Errno::ACCESS)
}
