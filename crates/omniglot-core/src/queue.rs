//! Queues of work for an instance: handles and boxes are dropped without access to one.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};

use crossbeam_queue::SegQueue;

use crate::foreign::encode_field;
use crate::frame::HEADER_SIZE;
use crate::identity::InstanceId;

/// Whether anything may be in any of an instance's queues, so that a call checks one place only.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waits(Arc<AtomicBool>);

impl Waits {
    #[inline]
    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// To be called before the queues are emptied: one atomic step, so that nothing that is pushed
    /// meanwhile is lost.
    pub(crate) fn clear(&self) {
        self.0.swap(false, Ordering::AcqRel);
    }

    pub(crate) fn set(&self) {
        // Not a mere store, which would end the release sequence of another thread's.
        self.0.swap(true, Ordering::AcqRel);
    }
}

/// What was deferred.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    items: SegQueue<T>,
    waits: Waits,
}

impl<T> Queue<T> {
    /// An empty queue of the instance that checks `waits`.
    pub(crate) fn new(waits: &Waits) -> Arc<Self> {
        Arc::new(Self { items: SegQueue::new(), waits: waits.clone() })
    }

    pub(crate) fn push(&self, item: T) {
        self.items.push(item);
        // Afterwards, so that whoever sees the flag finds the item.
        self.waits.set();
    }

    #[inline]
    pub(crate) fn pop(&self) -> Option<T> {
        if self.items.is_empty() { None } else { self.items.pop() }
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

/// The longest frame of a destructor, in bytes.
pub const MAX_DESTRUCTOR_FRAME: usize = 64;

/// A queued destructor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Destructor {
    pub(crate) shim: u32,
    pub(crate) frame_size: usize,
    pub(crate) address: usize,
    pub(crate) instance: InstanceId,
}

/// Writes the object's address into a destructor's frame.
pub(crate) fn put_address(frame: &mut [u8], address: usize) {
    encode_field(&address, frame, HEADER_SIZE);
}
