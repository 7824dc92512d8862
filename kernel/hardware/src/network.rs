//! The network card: a virtio network device.
#![allow(unsafe_code)]

use virtio_drivers::device::net::VirtIONetRaw;
use virtio_drivers::transport::mmio::MmioTransport;

use crate::dma::Shared;

/// Number of descriptors in each of the device's two queues.
const QUEUE: usize = 16;
/// Number of frames that can wait to be received.
const BUFFERS: usize = 8;
/// Size of a buffer: room for the largest frame and the device's header.
const BUFFER: usize = 2048;
/// Size of the largest frame: 1500 bytes, and 14 for addresses and type.
pub(crate) const FRAME: usize = 1514;

/// A buffer for a received frame.
struct Waiting {
    /// The driver's token for the buffer while the device owns it.
    token: Option<u16>,
    bytes: [u8; BUFFER],
}

/// The buffers that the device writes arriving frames to and reads departing frames from
/// (invariant 4).
pub(crate) struct Buffers {
    arriving: [Waiting; BUFFERS],
    departing: [u8; FRAME],
}

impl Buffers {
    pub(crate) const NEW: Self = Self {
        arriving: [const { Waiting { token: None, bytes: [0; BUFFER] } }; BUFFERS],
        departing: [0; FRAME],
    };
}

/// A network card.
pub struct NetworkCard {
    device: VirtIONetRaw<Shared, MmioTransport<'static>, QUEUE>,
    buffers: &'static mut Buffers,
}

/// The frame is too long, or the device did not take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSent;

impl core::fmt::Debug for NetworkCard {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_struct("NetworkCard").field("address", &self.address()).finish_non_exhaustive()
    }
}

impl NetworkCard {
    pub(crate) fn new(
        transport: MmioTransport<'static>,
        buffers: &'static mut Buffers,
    ) -> Option<Self> {
        let mut device = VirtIONetRaw::new(transport).ok()?;
        for waiting in &mut buffers.arriving {
            // SAFETY: the buffer lives for ever and belongs to this card (invariant 1). Nothing
            // accesses its bytes until the device has returned it in `receive` (invariant 4).
            let token = unsafe { device.receive_begin(&mut waiting.bytes) };
            waiting.token = Some(token.ok()?);
        }
        Some(Self { device, buffers })
    }

    /// The card's Ethernet address.
    #[must_use]
    pub fn address(&self) -> [u8; 6] {
        self.device.mac_address()
    }

    /// Acknowledges the device's interrupt. Call this before receiving frames.
    pub fn acknowledge(&mut self) {
        let _ = self.device.ack_interrupt();
    }

    /// Passes the next frame that has arrived to `take`. Returns `None` if there is none.
    pub fn receive<T>(&mut self, take: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let token = self.device.poll_receive()?;
        let given = |waiting: &&mut Waiting| waiting.token == Some(token);
        let waiting = self.buffers.arriving.iter_mut().find(given)?;
        waiting.token = None;
        // SAFETY: this buffer was given to the device with this token (invariant 4).
        let lengths = unsafe { self.device.receive_complete(token, &mut waiting.bytes) };
        let (header, frame) = lengths.ok()?;
        let bytes = waiting.bytes.get(header..header.saturating_add(frame));
        let taken = bytes.map(take);
        // SAFETY: as in `new` (invariants 1, 4).
        waiting.token = unsafe { self.device.receive_begin(&mut waiting.bytes) }.ok();
        taken
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// [`NotSent`] if the frame is too long or the device does not accept it.
    pub fn send(&mut self, frame: &[u8]) -> Result<(), NotSent> {
        let bounce = self.buffers.departing.get_mut(..frame.len()).ok_or(NotSent)?;
        bounce.copy_from_slice(frame);
        self.device.send(bounce).map_err(|_| NotSent)
    }
}
