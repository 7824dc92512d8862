//! A device that fails from some operation on, as if its power were cut.

use omniglot_kernel::services::blocks::{BlockDevice, BlockError};

/// A device that fails after this many programs and erasures.
pub(crate) struct Failing<'a> {
    pub(crate) device: &'a mut dyn BlockDevice,
    pub(crate) left: u32,
}

impl Failing<'_> {
    fn count(&mut self) -> Result<(), BlockError> {
        self.left = self.left.checked_sub(1).ok_or(BlockError)?;
        Ok(())
    }
}

impl BlockDevice for Failing<'_> {
    fn blocks(&self) -> u32 {
        self.device.blocks()
    }

    fn read(&mut self, block: u32, offset: usize, bytes: &mut [u8]) -> Result<(), BlockError> {
        self.device.read(block, offset, bytes)
    }

    fn program(&mut self, block: u32, offset: usize, bytes: &[u8]) -> Result<(), BlockError> {
        self.count()?;
        self.device.program(block, offset, bytes)
    }

    fn erase(&mut self, block: u32) -> Result<(), BlockError> {
        self.count()?;
        self.device.erase(block)
    }

    fn sync(&mut self) -> Result<(), BlockError> {
        self.device.sync()
    }
}
