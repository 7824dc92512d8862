//! The block device for files: memory that behaves like flash.

/// Size of a block in bytes.
pub(crate) const BLOCK: usize = 512;
/// Number of blocks.
pub(crate) const BLOCKS: usize = 32;

/// The device has no such place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoSuchPlace;

/// Memory in blocks that are erased as a whole before they are written.
#[derive(Debug)]
pub struct Disk {
    bytes: [[u8; BLOCK]; BLOCKS],
}

impl Disk {
    /// Returns a device without a file system.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [[0; BLOCK]; BLOCKS] }
    }

    /// Returns the bytes from an offset in a block on, which can be written once after an erasure.
    pub(crate) fn place(
        &mut self,
        block: u32,
        offset: u32,
        len: usize,
    ) -> Result<&mut [u8], NoSuchPlace> {
        let block = self.bytes.get_mut(block as usize).ok_or(NoSuchPlace)?;
        let rest = block.get_mut(offset as usize..).ok_or(NoSuchPlace)?;
        rest.get_mut(..len).ok_or(NoSuchPlace)
    }

    /// Erases a block, so that it can be written.
    pub(crate) fn erase(&mut self, block: u32) -> Result<(), NoSuchPlace> {
        self.place(block, 0, BLOCK)?.fill(0xff);
        Ok(())
    }

    /// Writes to a block. As in flash memory, this can only clear bits.
    pub(crate) fn program(
        &mut self,
        block: u32,
        offset: u32,
        bytes: &[u8],
    ) -> Result<(), NoSuchPlace> {
        let place = self.place(block, offset, bytes.len())?;
        place.iter_mut().zip(bytes).for_each(|(old, new)| *old &= new);
        Ok(())
    }
}

impl Default for Disk {
    fn default() -> Self {
        Self::new()
    }
}
