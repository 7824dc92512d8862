//! Random numbers: a virtio entropy device.
#![allow(unsafe_code)]

use virtio_drivers::device::rng::VirtIORng;
use virtio_drivers::transport::mmio::MmioTransport;

use crate::dma::Shared;

/// Number of bytes requested at a time.
const CHUNK: usize = 64;

/// A source of unpredictable random numbers.
pub struct Entropy {
    device: VirtIORng<Shared, MmioTransport<'static>>,
    /// The buffer that the device writes to (invariant 4).
    bounce: [u8; CHUNK],
}

impl core::fmt::Debug for Entropy {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_struct("Entropy").finish_non_exhaustive()
    }
}

impl Entropy {
    pub(crate) fn new(transport: MmioTransport<'static>) -> Option<Self> {
        let device = VirtIORng::new(transport).ok()?;
        Some(Self { device, bounce: [0; CHUNK] })
    }

    /// Fills `bytes` with random numbers. Returns `false` if the device has none.
    pub fn fill(&mut self, bytes: &mut [u8]) -> bool {
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let got = self.device.request_entropy(&mut self.bounce);
            // Nothing waits for this interrupt.
            let _ = self.device.ack_interrupt();
            let Ok(got) = got else { return false };
            let got = got.min(CHUNK).min(rest.len());
            for (to, from) in rest.iter_mut().zip(self.bounce).take(got) {
                *to = from;
            }
            if got == 0 {
                return false;
            }
            filled += got;
        }
        true
    }
}
