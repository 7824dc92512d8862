//! Block devices for file systems: a block is erased as a whole before it is written.

use omniglot_kernel_hardware::{Disk, SECTOR};

/// Size of a block in bytes.
pub const BLOCK: usize = 4096;
/// The smallest unit of reading and writing, in bytes.
pub const UNIT: usize = SECTOR;

/// The device failed, or has no such place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockError;

/// A device of blocks. Offsets and lengths are multiples of [`UNIT`], within one block.
pub trait BlockDevice {
    /// Returns the number of blocks.
    fn blocks(&self) -> u32;

    /// Reads from a place in a block.
    ///
    /// # Errors
    /// [`BlockError`] if there is no such place, or the device fails.
    fn read(&mut self, block: u32, offset: usize, bytes: &mut [u8]) -> Result<(), BlockError>;

    /// Writes to a place in a block that has been erased.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn program(&mut self, block: u32, offset: usize, bytes: &[u8]) -> Result<(), BlockError>;

    /// Erases a block, so that it can be written.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn erase(&mut self, block: u32) -> Result<(), BlockError>;

    /// Flushes the device's cache, so that what was written persists.
    ///
    /// # Errors
    /// [`BlockError`] if the device fails.
    fn sync(&mut self) -> Result<(), BlockError>;
}

impl BlockDevice for Disk {
    fn blocks(&self) -> u32 {
        let blocks = self.sectors() / (BLOCK / SECTOR) as u64;
        u32::try_from(blocks).unwrap_or(u32::MAX)
    }

    fn read(&mut self, block: u32, offset: usize, bytes: &mut [u8]) -> Result<(), BlockError> {
        Self::read(self, sector(block, offset)?, bytes).map_err(|_| BlockError)
    }

    fn program(&mut self, block: u32, offset: usize, bytes: &[u8]) -> Result<(), BlockError> {
        self.write(sector(block, offset)?, bytes).map_err(|_| BlockError)
    }

    /// Does nothing: a disk's sectors can be overwritten.
    fn erase(&mut self, block: u32) -> Result<(), BlockError> {
        sector(block, 0).map(|_| ())
    }

    fn sync(&mut self) -> Result<(), BlockError> {
        self.flush().map_err(|_| BlockError)
    }
}

fn sector(block: u32, offset: usize) -> Result<usize, BlockError> {
    if !offset.is_multiple_of(SECTOR) {
        return Err(BlockError);
    }
    let first = (block as usize).checked_mul(BLOCK / SECTOR).ok_or(BlockError)?;
    first.checked_add(offset / SECTOR).ok_or(BlockError)
}

/// A device in the kernel's own memory, which loses its contents when the power is switched off.
#[derive(Debug)]
pub struct RamDisk<const BLOCKS: usize> {
    bytes: [[u8; BLOCK]; BLOCKS],
}

impl<const BLOCKS: usize> RamDisk<BLOCKS> {
    /// Returns a device whose blocks are all erased.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [[0xff; BLOCK]; BLOCKS] }
    }

    fn place(&mut self, block: u32, offset: usize, len: usize) -> Result<&mut [u8], BlockError> {
        let block = self.bytes.get_mut(block as usize).ok_or(BlockError)?;
        let end = offset.checked_add(len).ok_or(BlockError)?;
        block.get_mut(offset..end).ok_or(BlockError)
    }
}

impl<const BLOCKS: usize> Default for RamDisk<BLOCKS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const BLOCKS: usize> BlockDevice for RamDisk<BLOCKS> {
    fn blocks(&self) -> u32 {
        BLOCKS as u32
    }

    fn read(&mut self, block: u32, offset: usize, bytes: &mut [u8]) -> Result<(), BlockError> {
        bytes.copy_from_slice(self.place(block, offset, bytes.len())?);
        Ok(())
    }

    /// As in flash memory, writing can only clear bits.
    fn program(&mut self, block: u32, offset: usize, bytes: &[u8]) -> Result<(), BlockError> {
        for (old, new) in self.place(block, offset, bytes.len())?.iter_mut().zip(bytes) {
            *old &= new;
        }
        Ok(())
    }

    fn erase(&mut self, block: u32) -> Result<(), BlockError> {
        self.place(block, 0, BLOCK)?.fill(0xff);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), BlockError> {
        Ok(())
    }
}
