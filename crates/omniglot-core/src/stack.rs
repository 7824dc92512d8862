//! The stack on which the host allocates temporary foreign memory.

use crate::error::{Error, Result};

/// The host's stack of temporary foreign memory: call frames and scopes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stack {
    top: usize,
    end: usize,
}

/// An earlier top of a stack, to return to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(usize);

impl Stack {
    /// An empty stack. Its end is a multiple of every frame's alignment, so that a frame's
    /// address is at most the end.
    pub(crate) const fn new(start: usize, len: usize) -> Self {
        let end = (start + len) & !(FrameAddress::ALIGN - 1);
        Self { top: if start < end { start } else { end }, end }
    }

    /// Address and length of what is free.
    pub(crate) const fn free(&self) -> (usize, usize) {
        (self.top, self.end - self.top)
    }

    pub(crate) const fn mark(&self) -> Mark {
        Mark(self.top)
    }

    pub(crate) const fn release(&mut self, mark: Mark) {
        self.top = mark.0;
    }

    /// Allocates `size` bytes at a multiple of `align` (a power of two).
    pub(crate) fn push(&mut self, size: usize, align: usize) -> Result<usize> {
        let full = Error::OutOfMemory { requested: size };
        let start = self.top.checked_next_multiple_of(align).ok_or(full)?;
        let top = start.checked_add(size).filter(|top| *top <= self.end).ok_or(full)?;
        self.top = top;
        Ok(start)
    }

    /// Finds the place for a frame; [`take`](Self::take) allocates it.
    #[inline(always)]
    pub(crate) const fn place(&self, size: usize) -> Option<FrameAddress> {
        const BELOW: usize = FrameAddress::ALIGN - 1;
        // The end is a multiple of it, and the top is not beyond the end: nothing wraps.
        let start = self.top.wrapping_add(BELOW) & !BELOW;
        if size <= self.end.wrapping_sub(start) { Some(FrameAddress(start)) } else { None }
    }

    /// Allocates the place of a frame.
    pub(crate) const fn take(&mut self, place: FrameAddress, size: usize) {
        self.top = place.0 + size;
    }
}

/// The address of a frame: a multiple of 16, which only [`Stack::place`] makes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameAddress(usize);

impl FrameAddress {
    const ALIGN: usize = 16;
    /// The address of no frame.
    pub(crate) const NONE: Self = Self(0);

    #[inline(always)]
    pub(crate) const fn get(self) -> usize {
        self.0
    }
}
