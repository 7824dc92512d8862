//! Interrupts a call in the host's process from another thread.

use std::sync::Arc;
use std::sync::atomic::Ordering::Acquire;

use super::context::GateContext;
use super::watchdog;
use crate::enabled::generation;

/// Interrupts the call that a domain is running, from any thread.
#[derive(Clone, Debug)]
pub(crate) struct Interrupter {
    context: Arc<GateContext>,
    generation: u64,
}

impl Interrupter {
    pub(super) const fn new(context: Arc<GateContext>, generation: u64) -> Self {
        Self { context, generation }
    }

    pub(crate) fn interrupt(&self) {
        let running = self.context.running.load(Acquire);
        if running != 0 && generation::check(self.generation).is_ok() {
            watchdog::stop(&self.context, running, false);
        }
    }
}
