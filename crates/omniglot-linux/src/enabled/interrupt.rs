//! Interrupting a call from another thread.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use omniglot_core::{Error, Result};

use super::channel::wake_host;
use super::in_process::interrupter::Interrupter;
use super::mapping::Mapping;

/// Which call runs, and which was interrupted: calls are counted from 1, over all lives of an
/// instance, so that an interruption of a call before a reset affects none after it.
#[derive(Debug, Default)]
pub(super) struct Interrupts {
    running: AtomicU64,
    interrupted: AtomicU64,
    /// Where the host waits for the current worker.
    mapping: Mutex<Weak<Mapping>>,
}

impl Interrupts {
    /// An outermost call begins; returns its number.
    #[inline]
    pub(super) fn begin(&self, number: u64) {
        self.running.store(number, Ordering::Release);
    }

    /// No call runs any more.
    #[inline]
    pub(super) fn end(&self) {
        self.running.store(0, Ordering::Release);
    }

    /// From now on calls go to the worker of this window; none runs.
    pub(super) fn attach(&self, mapping: &Arc<Mapping>) {
        self.end();
        *self.mapping.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(mapping);
    }

    /// Wakes the host where it waits, to check for interruptions. Nothing is lost if that fails:
    /// another thread wakes it, or there is no call, and the host checks every few milliseconds
    /// anyway.
    fn wake(&self) {
        let mapping = self.mapping.try_lock().ok().and_then(|mapping| mapping.upgrade());
        if let Some(mapping) = mapping {
            wake_host(&mapping);
        }
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
    Worker(Arc<Interrupts>),
    ThisProcess(Interrupter),
}

impl InterruptHandle {
    pub(super) fn new(interrupts: &Arc<Interrupts>) -> Self {
        Self(Target::Worker(Arc::clone(interrupts)))
    }

    pub(super) const fn of(interrupter: Interrupter) -> Self {
        Self(Target::ThisProcess(interrupter))
    }

    /// Ends the outermost call that runs now with [`Error::Interrupted`]; the
    /// instance is then poisoned.
    ///
    /// A callback in the host runs to its end first. If no call runs, or the instance is gone,
    /// nothing happens: a late interruption never affects a later call. The handle stays valid when
    /// the instance is reset; an interruption that was meant for a call before the reset affects
    /// none after it.
    ///
    /// ```
    /// # use omniglot_linux::InterruptHandle;
    /// # fn example(handle: InterruptHandle, cancelled: std::sync::mpsc::Receiver<()>) {
    /// // `handle` is `instance.interrupt_handle()`.
    /// std::thread::spawn(move || {
    ///     while cancelled.recv().is_ok() {
    ///         handle.interrupt(); // the call in progress, if there is one
    ///     }
    /// });
    /// # }
    /// ```
    pub fn interrupt(&self) {
        match &self.0 {
            Target::Worker(interrupts) => interrupts.interrupt(),
            Target::ThisProcess(interrupter) => interrupter.interrupt(),
        }
    }
}

impl Interrupts {
    fn interrupt(&self) {
        let running = self.running.load(Ordering::Acquire);
        if running == 0 {
            return;
        }
        self.interrupted.fetch_max(running, Ordering::AcqRel);
        self.wake();
    }
}
