//! The memory of a domain, as an ownership token.
#![allow(unsafe_code)]

use core::ptr::NonNull;

use omniglot_core::{Error, Result, Text, Window};

/// Memory that belongs to one domain and to nobody else.
///
/// The token is not `Clone`, and owning it means owning the memory.
/// [`Pmp::start`](crate::Pmp::start) takes it, and [`Pmp::into_region`](crate::Pmp::into_region)
/// returns it.
#[derive(Debug)]
pub struct ForeignRegion {
    start: usize,
    len: usize,
}

impl ForeignRegion {
    /// Creates the token for a domain's memory.
    ///
    /// # Safety
    /// The caller guarantees for the rest of the program (usually once, in the kernel's memory map,
    /// from its linker script):
    /// - the range is RAM that the hart can read, write and execute;
    /// - no Rust object, no stack and no other region lies in it, and no device writes to it;
    /// - no other token covers any part of it while this one exists, including inside a domain.
    #[must_use]
    pub const unsafe fn new(start: usize, len: usize) -> Self {
        Self { start, len }
    }

    /// The first address.
    #[must_use]
    pub const fn start(&self) -> usize {
        self.start
    }

    /// The size in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Returns true if the region has no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The window over the part of the region that an image is linked to.
    ///
    /// # Errors
    /// [`Error::Load`] if that part does not lie entirely in the region.
    pub(crate) fn window(&self, start: usize, len: usize) -> Result<Window> {
        let offset = start.wrapping_sub(self.start);
        let outside =
            || Error::Load(Text::fixed("the image is linked to memory that is not in the region"));
        if offset > self.len || len > self.len - offset || len > isize::MAX as usize {
            return Err(outside());
        }
        let host =
            NonNull::new(core::ptr::with_exposed_provenance_mut(start)).ok_or_else(outside)?;
        // SAFETY: the range lies in the region, which permanently is RAM without Rust objects
        // (invariant 1). Host and foreign code use the same addresses, and the range does not wrap.
        Ok(unsafe { Window::new(host, start, len) })
    }

    /// Sets bytes of the region to zero.
    pub(crate) fn zero(&mut self, start: usize, len: usize) {
        let offset = start.wrapping_sub(self.start);
        if offset > self.len || len > self.len - offset {
            return;
        }
        let bytes = core::ptr::with_exposed_provenance_mut::<u8>(start);
        // SAFETY: the range lies in the region (invariant 1). The region and its domain are
        // borrowed by `&mut`, so no view is alive.
        unsafe { bytes.write_bytes(0, len) };
    }
}
