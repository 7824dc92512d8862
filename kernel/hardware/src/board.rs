//! All of the board's devices, each made once.
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

/// Address of the first virtio device, the distance between two, and their largest number
/// (`hw/riscv/virt.c`, `VIRT_VIRTIO`).
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
    /// Lets the hart sleep.
    pub idle: Idle,
    /// Stops the machine.
    pub finisher: Finisher,
    /// What `omniglot-pmp` requires of the hart.
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
    /// Sets the devices up and enables interrupts. Returns `None` from the second call on.
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
            // SAFETY: this runs once, since the buffers can be taken only once (invariant 1).
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

    /// Adds the virtio device with this number, if there is one.
    fn add(&mut self, number: usize, buffers: &mut Option<&'static mut Buffers>) {
        let address = VIRTIO + number * VIRTIO_SIZE;
        let header = core::ptr::with_exposed_provenance_mut::<VirtIOHeader>(address);
        let Some(header) = NonNull::new(header) else { return };
        // SAFETY: these are a virtio device's registers (invariant 2), and nothing else uses them
        // (invariant 1).
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
