//! Opening files for a worker, where the kernel has no Landlock to confine it.
//!
//! Each `openat` of the worker waits. The host reads the path from the worker's memory, once, opens
//! the file itself if it is a readable library, and passes the descriptor to the worker. What the
//! worker does to its memory meanwhile has no effect.

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};

use omniglot_core::faults;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use super::filters::READING;
use super::images::path_of;
use super::seccomp_notify::{Notification, add_file, answer, is_waiting, receive};

const LONGEST_PATH: usize = 4096;
/// The worker's paths of the two files that it received from the host.
const LOADER: &str = "/proc/self/fd/4";
const SHIMS: &str = "/proc/self/fd/5";

/// Answers the requests of one worker.
#[derive(Debug)]
pub(super) struct OpenBroker<'a> {
    pub(super) listener: OwnedFd,
    /// The worker's memory.
    pub(super) memory: File,
    /// What may be read: files, and everything beneath directories.
    pub(super) readable: Vec<PathBuf>,
    pub(super) loader: BorrowedFd<'a>,
    pub(super) shims: BorrowedFd<'a>,
}

impl OpenBroker<'_> {
    /// Answers the requests that wait now; sleeps for that long if there is none.
    pub(super) fn serve(&self, patience: &Timespec) {
        let mut descriptors = [PollFd::new(&self.listener, PollFlags::IN)];
        // A failure appears as a start that times out, or as the worker's end.
        if matches!(poll(&mut descriptors, Some(patience)), Ok(1..))
            && descriptors.iter().all(|polled| polled.revents().contains(PollFlags::IN))
            && let Ok(notification) = receive(&self.listener)
        {
            let outcome = self.open(&notification).map_err(Errno::raw_os_error);
            let _ = answer(&self.listener, notification.id, outcome);
        }
    }

    fn open(&self, notification: &Notification) -> Result<i32, Errno> {
        let [_, path, flags, ..] = notification.arguments;
        if !is_for_reading(flags) {
            return Err(Errno::ACCESS);
        }
        let path = self.read_path(path)?;
        if !is_waiting(&self.listener, notification.id) {
            return Err(Errno::SRCH);
        }
        let file = match path.to_str() {
            Some(LOADER) => reopen(self.loader)?,
            Some(SHIMS) => reopen(self.shims)?,
            _ => self.open_library(&path)?,
        };
        add_file(&self.listener, notification.id, file.as_fd())
    }

    fn read_path(&self, address: u64) -> Result<PathBuf, Errno> {
        let mut bytes = [0; LONGEST_PATH];
        let got = self.memory.read_at(&mut bytes, address).map_err(|_| Errno::FAULT)?;
        faults::bytes(&mut bytes);
        let path = CStr::from_bytes_until_nul(bytes.get(..got).unwrap_or(&[]));
        let path = path.map_err(|_| Errno::NAMETOOLONG)?;
        Ok(Path::new(std::ffi::OsStr::from_bytes(path.to_bytes())).to_owned())
    }

    /// Opens a regular file, if, with links resolved, it lies where libraries are.
    ///
    /// The host looks at no other place: the path that the worker names lies beneath a readable
    /// directory, or the answer is the same whether it exists or not. From there on links may lead
    /// anywhere, except those of `/proc`, which lead into the host. The file that is checked is the
    /// one that is opened: it is first found without being opened, so that finding, for example, a
    /// device has no effect, and no link can change in between.
    fn open_library(&self, path: &Path) -> Result<File, Errno> {
        let path = without_dots(path).ok_or(Errno::ACCESS)?;
        if !self.readable.iter().any(|readable| path.starts_with(readable)) {
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
            Ok(metadata) if metadata.is_file() && self.readable.iter().any(allowed) => {
                reopen(found.as_fd())
            }
            _ => Err(Errno::ACCESS),
        }
    }
}

/// An absolute path with `.` and `..` resolved textually, without following links.
fn without_dots(path: &Path) -> Option<PathBuf> {
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
fn reopen(file: BorrowedFd<'_>) -> Result<File, Errno> {
    File::open(path_of(file)).map_err(|_| Errno::ACCESS)
}

/// Whether flags of openat(2) ask only for reading.
fn is_for_reading(flags: u64) -> bool {
    flags & !u64::from(READING.bits()) == 0
}
