//! The window's memory, mapped into the host.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, OwnedFd};
use std::ptr::{NonNull, null_mut};

use omniglot_core::{Result, Window};
use rustix::fs::{SealFlags, fcntl_add_seals, ftruncate};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};

use super::images::executable_memory;
use super::system::refused;

/// A shared mapping of a whole window: readable and writable, never executable.
#[derive(Debug)]
pub(super) struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the range belongs to the mapping, not to a thread (invariant 1), and is
// touched only through volatile copies and atomics (invariant 2).
unsafe impl Send for Mapping {}
// SAFETY: as for Send.
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
        let mapping = Self { start, len };
        // SAFETY: the range is this mapping's; leaving it out of core dumps changes no byte.
        // Where the kernel cannot, dumps are larger.
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

    /// The host's address of an offset that the layout keeps within the mapping.
    pub(super) fn at(&self, offset: usize) -> NonNull<u8> {
        let offset = offset.min(self.len);
        // SAFETY: at most one past the end of the mapping (invariant 1).
        unsafe { self.start.add(offset) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is this mapping's, and nobody has pointers any more (invariant 3).
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
        debug_assert!(unmapped.is_ok(), "a mapping can be unmapped");
    }
}
