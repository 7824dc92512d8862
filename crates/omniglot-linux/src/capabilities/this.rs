//! The machine that this process runs on.

use std::sync::OnceLock;

use super::machine::Machine;
#[cfg(not(worker_processes))]
use crate::disabled::look;
#[cfg(worker_processes)]
use crate::enabled::probes::look;

impl Machine {
    /// This machine, as this process sees it; probed only once.
    ///
    /// ```
    /// let machine = omniglot_linux::Machine::this();
    /// println!("{}", machine.choice().reason);
    /// ```
    pub fn this() -> &'static Self {
        static THIS: OnceLock<Machine> = OnceLock::new();
        if let Some(known) = THIS.get() {
            return known;
        }
        // Not by the first thread for all others: a forked child would wait for it in vain.
        let this = look();
        THIS.get_or_init(|| this)
    }
}
