//! Stopping a call from another thread.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use omniglot_core::{Error, Result};

use super::channel::wake_host;
use super::in_process::Interrupter;
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
pub struct InterruptHandle(Target);

/// Where the instance's calls run.
#[derive(Clone, Debug)]
enum Target {
    Worker { interrupts: Arc<Interrupts>, mapping: Weak<Mapping> },
    ThisProcess(Interrupter),
}

impl InterruptHandle {
    pub(super) fn new(interrupts: &Arc<Interrupts>, mapping: &Arc<Mapping>) -> Self {
        let interrupts = Arc::clone(interrupts);
        Self(Target::Worker { interrupts, mapping: Arc::downgrade(mapping) })
    }

    pub(super) const fn of(interrupter: Interrupter) -> Self {
        Self(Target::ThisProcess(interrupter))
    }

    /// Ends the outermost call that runs now with [`Error::Interrupted`]; the
    /// instance is then poisoned.
    ///
    /// A callback in the host runs to its end first. Where no call runs, or the
    /// instance is gone, nothing happens: a late interruption never hits a later
    /// call.
    pub fn interrupt(&self) {
        match &self.0 {
            Target::Worker { interrupts, mapping } => interrupts.interrupt(mapping),
            Target::ThisProcess(interrupter) => interrupter.interrupt(),
        }
    }
}

impl Interrupts {
    fn interrupt(&self, mapping: &Weak<Mapping>) {
        let running = self.running.load(Ordering::Acquire);
        if running == 0 {
            return;
        }
        self.interrupted.fetch_max(running, Ordering::AcqRel);
        if let Some(mapping) = mapping.upgrade() {
            wake_host(&mapping);
        }
    }
}
