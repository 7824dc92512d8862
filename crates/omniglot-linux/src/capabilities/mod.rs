//! The capabilities of this machine that the runtimes build on.
//!
//! [`Machine::this`] looks once. The [`Requirement`]s of each runtime are the one list of what it
//! needs: `ProtectionKeys::check` and `ProtectionKeys::start` go by it, and `omniglot doctor`
//! prints it, with [`Machine::choice`], which is what `Isolation::Auto` stands for.

mod choice;
pub(crate) mod machine;
mod requirement;

pub use choice::Choice;
pub use machine::{Kernel, KeyTrial, Machine, Mechanisms, MemfdExec, Processor};
pub use requirement::Requirement;

use std::sync::OnceLock;

#[cfg(not(worker_processes))]
use crate::disabled::look;
#[cfg(worker_processes)]
use crate::enabled::look;

impl Machine {
    /// This machine, as this process sees it; probed only once.
    ///
    /// ```
    /// let machine = omniglot_linux::Machine::this();
    /// println!("{}", machine.choice().reason);
    /// ```
    pub fn this() -> &'static Self {
        static THIS: OnceLock<Machine> = OnceLock::new();
        THIS.get_or_init(look)
    }
}
