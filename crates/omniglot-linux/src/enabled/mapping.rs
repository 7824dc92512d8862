//! The window's memory, mapped into the host.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, OwnedFd};
use std::ptr::{NonNull, null_mut};

use omniglot_core::{Result, Window};
use rustix::fs::{SealFlags, fcntl_add_seals, ftruncate};
use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap, mprotect, munmap};

use super::generation;
use super::images::executable_memory;
use super::system::refused;

/// A shared mapping of a whole window: readable, writable at first, and never executable.
#[derive(Debug)]
pub(super) struct Mapping {
    start: NonNull<u8>,
    len: usize,
    /// The only generation of processes that has the mapping; 0 if children inherit it.
    generation: u64,
}

// SAFETY: the range belongs to the mapping, not to a thread (invariant 1), and is
// touched only through volatile copies and atomics (invariant 2).
unsafe impl Send for Mapping {}
// SAFETY: as for Send (invariants 1, 2).
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Makes the memory of a window of `len` bytes, all zero, and maps it.
    ///
    /// The file can never change its size, so that no access faults.
    pub(super) fn create(len: usize) -> Result<(Self, OwnedFd)> {
        let file = executable_memory(c"omniglot-window")?;
        ftruncate(&file, len as u64).map_err(refused("the size of the window"))?;
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        fcntl_add_seals(&file, seals).map_err(refused("sealing the window's size"))?;
        let mapping = Self::of(&file, len)?;
        Ok((mapping, file))
    }

    fn of(file: impl AsFd, len: usize) -> Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::SHARED | MapFlags::NORESERVE;
        // SAFETY: the kernel chooses a range that nothing else uses (invariant 2).
        let start = unsafe { mmap(null_mut(), len, access, flags, file, 0) }
            .map_err(refused("mapping the window (the address space may be limited)"))?;
        let start = NonNull::new(start.cast())
            .ok_or(rustix::io::Errno::NOMEM)
            .map_err(refused("mapping the window"))?;
        let mapping = Self { start, len, generation: 0 };
        // SAFETY: the range is this mapping's (invariant 1); excluding it from core dumps changes
        // no byte. If the kernel cannot, dumps are larger.
        let _ = unsafe { madvise(mapping.start.as_ptr().cast(), len, Advice::LinuxDontDump) };
        Ok(mapping)
    }

    /// The window as the core sees it, for a worker that maps it at `foreign`.
    ///
    /// The caller keeps the mapping for as long as the window (invariant 3).
    pub(super) fn window(&self, foreign: usize) -> Window {
        // SAFETY: invariants 1, 2 and 3; the layout keeps foreign + len below 2^47.
        unsafe { Window::new(self.start, foreign, self.len) }
    }

    /// Excludes the mapping from forked children.
    pub(super) fn keep_from_children(&mut self, generation: u64) -> Result<()> {
        self.generation = generation;
        // SAFETY: the range is this mapping's (invariant 1); a child just lacks it (invariant 6).
        unsafe { madvise(self.start.as_ptr().cast(), self.len, Advice::LinuxDontFork) }
            .map_err(refused("keeping the window from forked children"))
    }

    /// Makes a part read-only, permanently; whole pages.
    pub(super) fn forbid_writing(&self, offset: usize, len: usize) -> Result<()> {
        let start = self.at(offset);
        let len = len.min(self.len - offset.min(self.len));
        // SAFETY: a part of this mapping (invariant 1); the core writes only where
        // `Runtime::check_writable` permits it.
        unsafe { mprotect(start.as_ptr().cast(), len, MprotectFlags::READ) }
            .map_err(refused("making a part of the window read-only"))
    }

    /// Returns the memory of whole pages to the system; they are then zero for every process that
    /// maps them. Returns whether that succeeded.
    pub(super) fn give_back(&self, range: std::ops::Range<usize>) -> bool {
        let start = self.at(range.start);
        let len = range.len().min(self.len - range.start.min(self.len));
        // SAFETY: a part of this mapping (invariant 1), which stays mapped; its bytes may change
        // at any time anyway, since foreign code writes them (invariant 2).
        unsafe { madvise(start.as_ptr().cast(), len, Advice::LinuxRemove) }.is_ok()
    }

    /// Maps a sealed file, of that length, in the place of whole pages. Writes there change neither
    /// the file nor what foreign code sees.
    pub(super) fn overlay(&self, range: std::ops::Range<usize>, file: &OwnedFd) -> Result<()> {
        let start = self.at(range.start);
        let len = range.len().min(self.len - range.start.min(self.len));
        let (read, flags) = (ProtFlags::READ, MapFlags::PRIVATE | MapFlags::FIXED);
        // SAFETY: replaces a part of this mapping (invariant 1) with pages of a file that cannot
        // shrink; their bytes may change at any time (invariant 2). Nothing is charged for pages
        // that are only read, so the kernel does not refuse after it has taken the old ones away.
        unsafe { mmap(start.as_ptr().cast(), len, read, flags, file, 0) }
            .map_err(refused("mapping the domain's files"))?;
        // SAFETY: a part of this mapping, which stays mapped (invariant 1).
        unsafe { mprotect(start.as_ptr().cast(), len, MprotectFlags::READ | MprotectFlags::WRITE) }
            .map_err(refused("memory for the domain's files"))?;
        // SAFETY: as above (invariant 1); leaving it out of core dumps changes no byte. Where the
        // kernel cannot, dumps are larger.
        let _ = unsafe { madvise(start.as_ptr().cast(), len, Advice::LinuxDontDump) };
        Ok(())
    }

    /// Bytes of the mapping.
    ///
    /// # Safety
    /// Nobody writes the memory while the slice lives: the window's worker has ended
    /// (invariant 4), and the host writes nothing there.
    pub(super) unsafe fn bytes(&self, range: std::ops::Range<usize>) -> &[u8] {
        let start = range.start.min(self.len);
        let len = range.end.min(self.len).saturating_sub(start);
        // SAFETY: in the mapping (invariant 1).
        let start = unsafe { self.start.add(start) };
        // SAFETY: as above; nobody writes while the slice lives, as the caller promises
        // (invariants 1, 4).
        unsafe { std::slice::from_raw_parts(start.as_ptr(), len) }
    }

    /// The host's address of an offset that the layout keeps within the mapping.
    pub(super) fn at(&self, offset: usize) -> NonNull<u8> {
        let offset = offset.min(self.len);
        // SAFETY: at most one past the end of the mapping (invariant 1).
        unsafe { self.start.add(offset) }
    }
}

impl Drop for Mapping {
    /// In a forked child that does not have the mapping, the range may belong to another one.
    fn drop(&mut self) {
        if self.generation != 0 && generation::check(self.generation).is_err() {
            return;
        }
        // SAFETY: the range is this mapping's, and nobody has pointers to it any more
        // (invariants 1, 3).
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
        debug_assert!(unmapped.is_ok(), "a mapping can be unmapped");
    }
}
