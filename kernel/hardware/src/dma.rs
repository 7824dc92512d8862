//! Memory that virtio drivers and devices share.
#![allow(unsafe_code)]

use core::cell::UnsafeCell;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

/// Number of pages: three queues take two each.
const PAGES: usize = 16;

/// Pages that are allocated once each, in order.
#[repr(C, align(4096))]
struct Pool(UnsafeCell<[u8; PAGES * PAGE_SIZE]>);

// SAFETY: the bytes are only reached through the pointers that `dma_alloc` returns, each of which
// is to pages of its own (invariant 4).
unsafe impl Sync for Pool {}

static POOL: Pool = Pool(UnsafeCell::new([0; PAGES * PAGE_SIZE]));
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// What the virtio drivers require of the board. Devices use the same addresses as the kernel.
#[derive(Debug)]
pub(crate) struct Shared;

// SAFETY: pages are allocated once each, and are zero from the start. They are this crate's own,
// and so are the buffers that drivers share (invariant 4). Addresses are physical, since the kernel
// runs without translation.
unsafe impl Hal for Shared {
    /// Returns address 0 when no pages are left, which the drivers treat as an error.
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let first = TAKEN.fetch_add(pages, Ordering::Relaxed);
        if first.saturating_add(pages) > PAGES {
            return (0, NonNull::dangling());
        }
        let start = POOL.0.get().cast::<u8>().wrapping_add(first * PAGE_SIZE);
        (start.addr() as PhysAddr, NonNull::new(start).unwrap_or(NonNull::dangling()))
    }

    /// Does nothing: drivers live as long as the kernel.
    unsafe fn dma_dealloc(_: PhysAddr, _: NonNull<u8>, _: usize) -> i32 {
        0
    }

    unsafe fn mmio_phys_to_virt(address: PhysAddr, _: usize) -> NonNull<u8> {
        let pointer = core::ptr::with_exposed_provenance_mut(address as usize);
        NonNull::new(pointer).unwrap_or(NonNull::dangling())
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        buffer.cast::<u8>().as_ptr().expose_provenance() as PhysAddr
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}
