//! All the devices, once.
#![allow(unsafe_code)]

use core::ptr::NonNull;

use static_cell::ConstStaticCell;
use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};
use virtio_drivers::transport::{DeviceType, Transport};

use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::finisher::Finisher;
use crate::guard;
use crate::hart::Hart;
use crate::interrupts::{self, Idle};
use crate::memory::Regions;
use crate::network::{Buffers, NetworkCard};
use crate::storage::Disk;
use crate::uart::Uart;

/// Where the first of the virtio devices is, how far apart they are, and how many there can
/// be (`hw/riscv/virt.c`, `VIRT_VIRTIO`).
const VIRTIO: usize = 0x1000_1000;
const VIRTIO_SIZE: usize = 0x1000;
const VIRTIO_COUNT: usize = 8;

static BUFFERS: ConstStaticCell<Buffers> = ConstStaticCell::new(Buffers::NEW);

/// The board's devices.
#[derive(Debug)]
pub struct Board {
    /// The serial line.
    pub uart: Uart,
    /// The clock.
    pub clock: Clock,
    /// Sleeping.
    pub idle: Idle,
    /// Ending the machine.
    pub finisher: Finisher,
    /// What `omniglot-pmp` needs of the hart.
    pub hart: Hart,
    /// The foreign libraries' memory.
    pub regions: Regions,
    /// The disk, if QEMU was started with one.
    pub disk: Option<Disk>,
    /// The source of random numbers, if QEMU was started with one.
    pub entropy: Option<Entropy>,
    /// The network card, if QEMU was started with one.
    pub network: Option<NetworkCard>,
}

impl Board {
    /// The devices, set up, and interrupts on; `None` after the first time.
    #[must_use]
    pub fn take() -> Option<Self> {
        let mut buffers = Some(BUFFERS.try_take()?);
        guard::close();
        let mut board = Self {
            uart: Uart::new(),
            clock: Clock::new(),
            idle: Idle::new(),
            finisher: Finisher::new(),
            hart: Hart::new(),
            // SAFETY: once, as the buffers are taken once (invariant 1).
            regions: unsafe { Regions::new() },
            disk: None,
            entropy: None,
            network: None,
        };
        for number in 0..VIRTIO_COUNT {
            board.add(number, &mut buffers);
        }
        interrupts::start();
        Some(board)
    }

    /// Adds the virtio device with a number, if there is one.
    fn add(&mut self, number: usize, buffers: &mut Option<&'static mut Buffers>) {
        let address = VIRTIO + number * VIRTIO_SIZE;
        let header = core::ptr::with_exposed_provenance_mut::<VirtIOHeader>(address);
        let Some(header) = NonNull::new(header) else { return };
        // SAFETY: a virtio device's registers (invariant 2), used by nobody else (invariant 1).
        let Ok(transport) = (unsafe { MmioTransport::new(header, VIRTIO_SIZE) }) else { return };
        match transport.device_type() {
            DeviceType::Block => self.disk = Disk::new(transport),
            DeviceType::EntropySource => self.entropy = Entropy::new(transport),
            DeviceType::Network => {
                self.network =
                    buffers.take().and_then(|buffers| NetworkCard::new(transport, buffers));
            }
            _ => {}
        }
    }
}
