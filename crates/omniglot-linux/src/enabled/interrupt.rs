//! Stopping a call from another thread.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use omniglot_core::{Error, Result};

use super::channel::wake_host;
use super::mapping::Mapping;

/// Which call runs, and which was interrupted: calls are counted from 1.
#[derive(Debug, Default)]
pub(super) struct Interrupts {
    running: AtomicU64,
    interrupted: AtomicU64,
}

impl Interrupts {
    /// An outermost call begins; says its number.
    #[inline]
    pub(super) fn begin(&self, number: u64) {
        self.running.store(number, Ordering::Release);
    }

    /// No call runs any more.
    #[inline]
    pub(super) fn end(&self) {
        self.running.store(0, Ordering::Release);
    }

    /// Fails if that call was interrupted.
    #[inline]
    pub(super) fn check(&self, number: u64) -> Result<()> {
        if self.interrupted.load(Ordering::Acquire) == number && number != 0 {
            return Err(Error::Interrupted);
        }
        Ok(())
    }
}

/// Interrupts the call that an instance is running, from any thread.
#[derive(Clone, Debug)]
pub struct InterruptHandle {
    interrupts: Arc<Interrupts>,
    mapping: Weak<Mapping>,
}

impl InterruptHandle {
    pub(super) fn new(interrupts: &Arc<Interrupts>, mapping: &Arc<Mapping>) -> Self {
        Self { interrupts: Arc::clone(interrupts), mapping: Arc::downgrade(mapping) }
    }

    /// Ends the outermost call that runs now with [`Error::Interrupted`]; the
    /// instance is then poisoned.
    ///
    /// A callback in the host runs to its end first. Where no call runs, or the
    /// instance is gone, nothing happens: a late interruption never hits a later
    /// call.
    pub fn interrupt(&self) {
        let running = self.interrupts.running.load(Ordering::Acquire);
        if running == 0 {
            return;
        }
        self.interrupts.interrupted.fetch_max(running, Ordering::AcqRel);
        if let Some(mapping) = self.mapping.upgrade() {
            wake_host(&mapping);
        }
    }
}
