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
use std::path::{Path, PathBuf};

use omniglot_core::faults;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::filters::READING;
use super::images::SHIMS;
use super::learning;
use super::library_files::{open_library, reopen};
use super::seccomp_notify::{Notification, add_file, answer, is_waiting, receive};

const LONGEST_PATH: usize = 4096;
/// The worker's path of the loader, which it received from the host.
const LOADER: &str = "/proc/self/fd/4";

/// Answers the requests of one worker.
#[derive(Debug)]
pub(super) struct OpenBroker<'a> {
    /// The library's name.
    pub(super) library: &'static str,
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
            _ => {
                let opened = open_library(&path, &self.readable);
                if learning::is_on() && matches!(opened, Err(Errno::ACCESS)) {
                    learning::note_file(self.library, &path);
                }
                opened?
            }
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
}

/// Whether flags of openat(2) ask only for reading.
fn is_for_reading(flags: u64) -> bool {
    flags & !u64::from(READING.bits()) == 0
}
