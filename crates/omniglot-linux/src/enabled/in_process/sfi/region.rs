//! Where regions lie: 4 GiB each, at multiples of 4 GiB.
//!
//! They lie side by side in *rows*, reservations of address space that are for nothing else as long
//! as the process lives, with guards at both ends. So what is near a region is another one, or
//! nothing (H2), whoever maps memory elsewhere, and whenever. A row costs addresses, no memory.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use omniglot_core::{Error, Result};
use omniglot_verify::{GUARD, REGION};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

use crate::enabled::generation::{self, PerProcess};
use crate::enabled::in_process::context::{GateContext, NO_DOMAIN, REGION_TABLE};
use crate::enabled::in_process::shared_page;
use crate::enabled::layout::check_limits;
use crate::enabled::system::refused;

/// How many regions a row has: as many as a word has bits.
const IN_ROW: usize = u64::BITS as usize;
const SIZE: usize = REGION as usize;
/// What is reserved for a row, wherever it begins.
const RESERVED: usize = (IN_ROW + 1) * SIZE + 2 * GUARD as usize;

/// The rows of a process. A forked child makes its own: its parent's regions are there, too, and
/// whose turn it was is not known.
static ROWS: PerProcess<Mutex<Vec<Row>>> = PerProcess::new();

/// Whether there is, or was, a region in this process or its parents.
static EXIST: AtomicBool = AtomicBool::new(false);

/// Whether the process has, or had, verified code. Nobody looks at it for instructions that
/// switch protection keys off, so there are no domains behind keys beside it.
pub(in crate::enabled::in_process) fn exist() -> bool {
    EXIST.load(Ordering::SeqCst)
}

/// A row: where its regions begin, and a bit for each that is taken.
#[derive(Debug)]
struct Row {
    start: usize,
    taken: u64,
}

/// A region, in which nothing is mapped at first, until it is dropped.
#[derive(Debug)]
pub(super) struct Region {
    start: usize,
    generation: u64,
}

impl Region {
    /// Takes a region.
    ///
    /// # Errors
    /// [`Error::System`] where there are no addresses left; [`Error::Unsupported`] where they are
    /// limited, or the process uses protection keys.
    pub(super) fn take(generation: u64) -> Result<Self> {
        // Before anything is recorded, so that a start that fails keeps nobody from using keys.
        check_no_keys()?;
        check_limits()?;
        // In this order: who starts a domain behind a key does it the other way round.
        EXIST.store(true, Ordering::SeqCst);
        check_no_keys()?;
        let mut rows = ROWS.get()?.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(start) = rows.iter_mut().find_map(Row::take) {
            return Ok(Self { start, generation });
        }
        let mut row = Row { start: reserve()?, taken: 0 };
        let start = row.take();
        rows.push(row);
        start
            .map(|start| Self { start, generation })
            .ok_or(Error::Protocol("a row without a region"))
    }

    /// Its first address.
    pub(super) const fn start(&self) -> usize {
        self.start
    }

    /// Has the gate find the domain that is in it.
    pub(super) fn announce(&self, context: &Arc<GateContext>) {
        self.note(Arc::as_ptr(context).cast_mut());
    }

    fn note(&self, context: *mut GateContext) {
        if let Some(entry) = REGION_TABLE.get(self.start / SIZE) {
            entry.store(context, Ordering::Release);
        }
    }
}

fn check_no_keys() -> Result<()> {
    if shared_page::are_in_use() {
        return Err(Error::Unsupported {
            what: "the process has domains behind protection keys",
            remedy: "use one of the two in a process, or Isolation::Process",
        });
    }
    Ok(())
}

impl Drop for Region {
    /// In a forked child the range is a copy, and stays.
    fn drop(&mut self) {
        if generation::check(self.generation).is_err() {
            return;
        }
        self.note(NO_DOMAIN);
        // SAFETY: the region is this value's alone, and nobody runs in it any more (invariants 5,
        // 8).
        let emptied = unsafe { empty(self.start, SIZE) };
        let Some(rows) = ROWS.known() else { return };
        // One that could not be emptied is not used again.
        if emptied.is_ok() {
            let mut rows = rows.lock().unwrap_or_else(PoisonError::into_inner);
            rows.iter_mut().for_each(|row| row.give_back(self.start));
        }
    }
}

impl Row {
    fn take(&mut self) -> Option<usize> {
        let index = self.taken.trailing_ones() as usize;
        if index >= IN_ROW {
            return None;
        }
        self.taken |= 1 << index;
        Some(self.start + index * SIZE)
    }

    fn give_back(&mut self, region: usize) {
        let index = region.wrapping_sub(self.start) / SIZE;
        if index < IN_ROW {
            self.taken &= !(1 << index);
        }
    }
}

/// Reserves a row, for ever: where its regions begin.
fn reserve() -> Result<usize> {
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
    // SAFETY: the kernel chooses a range that nothing else uses (invariant 2).
    let start = unsafe { mmap_anonymous(null_mut(), RESERVED, ProtFlags::empty(), flags) }
        .map_err(refused("reserving addresses for regions"))?;
    Ok((start.addr() + GUARD as usize).next_multiple_of(SIZE))
}

/// Takes all that is mapped out of a part of a region, which stays reserved.
///
/// # Safety
/// The part belongs to a region of the caller's, and nobody uses what is mapped there.
unsafe fn empty(start: usize, len: usize) -> Result<()> {
    let place = std::ptr::with_exposed_provenance_mut::<c_void>(start);
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
    // SAFETY: the caller's alone, with no Rust object in it (invariants 2, 5).
    unsafe { mmap_anonymous(place, len, ProtFlags::empty(), flags) }
        .map(drop)
        .map_err(refused("emptying a region"))
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_aligned_apart_and_used_again() {
        let generation = generation::current().expect("a generation");
        let take = || Region::take(generation).expect("a region");
        let regions: Vec<_> = (0..2 * IN_ROW + 3).map(|_| take()).collect();
        let mut starts: Vec<_> = regions.iter().map(Region::start).collect();
        assert!(starts.iter().all(|start| start.is_multiple_of(SIZE)));
        starts.sort_unstable();
        assert!(starts.windows(2).all(|pair| pair[1] - pair[0] >= SIZE), "{starts:x?}");
        drop(regions);
        let again: Vec<_> = (0..IN_ROW).map(|_| take()).collect();
        assert!(again.iter().any(|region| starts.contains(&region.start)));
    }
}
