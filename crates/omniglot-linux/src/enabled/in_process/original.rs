//! A window as its worker left it: what a domain starts from, and goes back to.
#![allow(unsafe_code)]

use std::fs::File;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use omniglot_core::Result;
use rustix::fs::{FallocateFlags, SeekFrom, fallocate, seek};
use rustix::io::Errno;

use super::super::mapping::Mapping;
use super::super::system::{failed, refused};

/// The memory of a worker that has ended, so that nobody writes it any more.
#[derive(Debug)]
pub(super) struct Original {
    mapping: Arc<Mapping>,
    /// The parts that have pages, without the host's own part of the window.
    extents: Vec<Range<usize>>,
    file: OwnedFd,
    start: usize,
}

impl Original {
    /// Takes the memory of a worker that was killed and waited for.
    pub(super) fn of(mapping: Arc<Mapping>, file: OwnedFd, start: usize) -> Self {
        Self { mapping, extents: Vec::new(), file, start }
    }

    /// Looks for the pages that there are; the rest is zero.
    pub(super) fn survey(&mut self) -> Result<()> {
        let mut at = self.start as u64;
        while let Some(extent) = next_extent(&self.file, at)? {
            at = extent.end;
            self.extents.push(extent.start as usize..extent.end as usize);
        }
        Ok(())
    }

    /// Writes all pages into a fresh copy.
    pub(super) fn copy_to(&self, copy: &File) -> Result<()> {
        self.extents.iter().try_for_each(|extent| self.copy_part(copy, extent))
    }

    /// Brings a part of a copy back to what it was.
    pub(super) fn restore(&self, copy: &File, part: &Range<usize>) -> Result<()> {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        fallocate(copy, flags, part.start as u64, part.len() as u64)
            .map_err(refused("emptying the window"))?;
        for extent in &self.extents {
            let both = extent.start.max(part.start)..extent.end.min(part.end);
            if !both.is_empty() {
                self.copy_part(copy, &both)?;
            }
        }
        Ok(())
    }

    fn copy_part(&self, copy: &File, part: &Range<usize>) -> Result<()> {
        // SAFETY: the worker has ended, and the host has no other use for its window.
        let bytes = unsafe { self.mapping.bytes(part.clone()) };
        copy.write_all_at(bytes, part.start as u64).map_err(failed("copying the window"))
    }
}

/// The next part of a file in memory that has pages (lseek(2)).
fn next_extent(file: impl AsFd, from: u64) -> Result<Option<Range<u64>>> {
    let start = match seek(&file, SeekFrom::Data(from)) {
        Ok(start) => start,
        Err(Errno::NXIO) => return Ok(None),
        Err(errno) => return Err(refused("looking for the window's pages")(errno)),
    };
    let end =
        seek(&file, SeekFrom::Hole(start)).map_err(refused("looking for the window's pages"))?;
    Ok(Some(start..end))
}
