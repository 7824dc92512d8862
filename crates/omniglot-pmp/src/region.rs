//! The memory of a domain, as a token.
#![allow(unsafe_code)]

use core::ptr::NonNull;

use omniglot_core::{Error, Result, Text, Window};

/// Memory that belongs to one domain and to nobody else.
///
/// Not `Clone`: whoever has it has the memory. [`Pmp::start`](crate::Pmp::start) takes it,
/// and [`Pmp::into_region`](crate::Pmp::into_region) gives it back.
#[derive(Debug)]
pub struct ForeignRegion {
    start: usize,
    len: usize,
}

impl ForeignRegion {
    /// Names the memory of a domain.
    ///
    /// # Safety
    /// Who calls this proves, for as long as the program runs (usually once, in the
    /// kernel's memory map, from its linker script):
    /// - the range is RAM that the hart reads, writes and executes;
    /// - no Rust object, no stack and no other region lies in it, and no device writes it;
    /// - as long as the token exists, in a domain too, there is no other for any part of it.
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

    /// Whether it has no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The window over the part of the region that an image is linked to.
    ///
    /// # Errors
    /// [`Error::Load`] unless all of that lies in the region.
    pub(crate) fn window(&self, start: usize, len: usize) -> Result<Window> {
        let offset = start.wrapping_sub(self.start);
        let outside =
            || Error::Load(Text::fixed("the image is linked to memory that is not in the region"));
        if offset > self.len || len > self.len - offset || len > isize::MAX as usize {
            return Err(outside());
        }
        let host =
            NonNull::new(core::ptr::with_exposed_provenance_mut(start)).ok_or_else(outside)?;
        // SAFETY: the range is in the region, which is RAM without Rust objects for good
        // (invariant 1), has one address for both sides, and does not wrap.
        Ok(unsafe { Window::new(host, start, len) })
    }

    /// Sets bytes of the region to zero.
    pub(crate) fn zero(&mut self, start: usize, len: usize) {
        let offset = start.wrapping_sub(self.start);
        if offset > self.len || len > self.len - offset {
            return;
        }
        let bytes = core::ptr::with_exposed_provenance_mut::<u8>(start);
        // SAFETY: in the region (invariant 1), which is borrowed by `&mut`, as its domain is, so
        // that no view lives.
        unsafe { bytes.write_bytes(0, len) };
    }
}
