//! The part of a domain's memory that boxes live in.

use std::ops::Range;
use std::sync::Arc;

use range_alloc::RangeAllocator;

use crate::error::{Error, Result};
use crate::queue::{Queue, Waits};

/// The smallest distance between two boxes, which keeps the book-keeping small.
const GRANULE: usize = 16;

/// The part of a domain's memory that boxes live in. Which ranges are in use is recorded here, in
/// host memory, which foreign code cannot reach.
pub(crate) struct Boxes {
    free: RangeAllocator<usize>,
    len: usize,
    pub(crate) freed: Arc<Queue<Range<usize>>>,
}

impl Boxes {
    pub(crate) fn new(start: usize, len: usize, waits: &Waits) -> Self {
        Self { free: RangeAllocator::new(start..start + len), len, freed: Queue::new(waits) }
    }

    /// Frees the memory of dropped boxes.
    pub(crate) fn collect(&mut self) {
        while let Some(range) = self.freed.pop() {
            self.free.free_range(range);
        }
    }

    pub(crate) fn take(&mut self, size: usize, align: usize) -> Result<Range<usize>> {
        let full = Error::OutOfMemory { requested: size };
        let size = size.max(1).checked_next_multiple_of(GRANULE).ok_or(full)?;
        let align = align.max(GRANULE);
        if size > self.len {
            return Err(full);
        }
        self.free.allocate_range_aligned(size, align).map_err(|_| full)
    }
}
