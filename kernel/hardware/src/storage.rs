//! The disk: a virtio block device.
#![allow(unsafe_code)]

use virtio_drivers::device::blk::VirtIOBlk;
use virtio_drivers::transport::mmio::MmioTransport;

use crate::dma::Shared;

/// Size of a sector in bytes.
pub const SECTOR: usize = virtio_drivers::device::blk::SECTOR_SIZE;

/// A disk.
pub struct Disk {
    device: VirtIOBlk<Shared, MmioTransport<'static>>,
    /// The buffer that the device reads from and writes to (invariant 4).
    bounce: [u8; SECTOR],
}

/// The device failed, or there is no such sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskError;

impl core::fmt::Debug for Disk {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_struct("Disk").field("sectors", &self.sectors()).finish_non_exhaustive()
    }
}

impl Disk {
    pub(crate) fn new(transport: MmioTransport<'static>) -> Option<Self> {
        let device = VirtIOBlk::new(transport).ok()?;
        Some(Self { device, bounce: [0; SECTOR] })
    }

    /// Returns the number of sectors.
    #[must_use]
    pub fn sectors(&self) -> u64 {
        self.device.capacity()
    }

    /// Reads sectors from `sector` on until `bytes` is full.
    ///
    /// # Errors
    /// [`DiskError`] if the device fails, the disk ends before, or `bytes` is no whole number of
    /// sectors.
    pub fn read(&mut self, sector: usize, bytes: &mut [u8]) -> Result<(), DiskError> {
        self.check(sector, bytes.len())?;
        for (number, part) in bytes.chunks_exact_mut(SECTOR).enumerate() {
            let read = self.device.read_blocks(sector + number, &mut self.bounce);
            self.acknowledge();
            read.map_err(|_| DiskError)?;
            part.copy_from_slice(&self.bounce);
        }
        Ok(())
    }

    /// Writes `bytes` to sectors from `sector` on.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn write(&mut self, sector: usize, bytes: &[u8]) -> Result<(), DiskError> {
        self.check(sector, bytes.len())?;
        for (number, part) in bytes.chunks_exact(SECTOR).enumerate() {
            self.bounce.copy_from_slice(part);
            let written = self.device.write_blocks(sector + number, &self.bounce);
            self.acknowledge();
            written.map_err(|_| DiskError)?;
        }
        Ok(())
    }

    /// Flushes the device's cache, so that what was written persists.
    ///
    /// # Errors
    /// [`DiskError`] if the device fails.
    pub fn flush(&mut self) -> Result<(), DiskError> {
        let flushed = self.device.flush();
        self.acknowledge();
        flushed.map_err(|_| DiskError)
    }

    /// Acknowledges the device's interrupt, which nothing waits for.
    fn acknowledge(&mut self) {
        let _ = self.device.ack_interrupt();
    }

    fn check(&self, sector: usize, len: usize) -> Result<(), DiskError> {
        let end = (sector as u64).checked_add((len / SECTOR) as u64).ok_or(DiskError)?;
        let whole = len.is_multiple_of(SECTOR);
        if whole && end <= self.sectors() { Ok(()) } else { Err(DiskError) }
    }
}
