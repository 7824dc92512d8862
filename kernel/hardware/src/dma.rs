//! Memory for what virtio drivers and devices share.
#![allow(unsafe_code)]

use core::cell::UnsafeCell;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

/// How many pages there are: three queues take two each.
const PAGES: usize = 16;

/// Pages that are handed out once, in order.
#[repr(C, align(4096))]
struct Pool(UnsafeCell<[u8; PAGES * PAGE_SIZE]>);

// SAFETY: its bytes are only reached through the pointers that `dma_alloc` gives, each of
// which is to pages of its own (invariant 4).
unsafe impl Sync for Pool {}

static POOL: Pool = Pool(UnsafeCell::new([0; PAGES * PAGE_SIZE]));
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// What the virtio drivers ask of the board: addresses are the same for devices.
#[derive(Debug)]
pub(crate) struct Shared;

// SAFETY: pages are given out once each, and are zero from the start; they are this crate's
// own, as are the buffers that drivers share (invariant 4). Addresses are physical, as the
// kernel runs without translation.
unsafe impl Hal for Shared {
    /// When there are no pages left, address 0, which the drivers take for an error.
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let first = TAKEN.fetch_add(pages, Ordering::Relaxed);
        if first.saturating_add(pages) > PAGES {
            return (0, NonNull::dangling());
        }
        let start = POOL.0.get().cast::<u8>().wrapping_add(first * PAGE_SIZE);
        (start.addr() as PhysAddr, NonNull::new(start).unwrap_or(NonNull::dangling()))
    }

    /// Drivers live as long as the kernel: pages do not come back.
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
