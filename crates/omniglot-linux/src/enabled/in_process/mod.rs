//! Foreign code in the host's process, on the caller's thread.

mod addresses;
mod calls;
mod engine;
mod features;
mod forked;
mod frame;
mod fs_base;
mod gadgets;
mod gate;
mod handler;
mod identity;
mod interposed;
mod kernel_signals;
mod keys;
mod loading;
mod memory;
mod output;
mod sfi;
mod signals;
mod snapshot;
mod strangers;
mod syscalls;
mod threads;
mod watchdog;
mod x87;

pub(super) use engine::Interrupter;
pub use engine::{ProtectionKeys, Unprotected};
pub(super) use features::{has_unknown_registers, lies_below_4_gib};
pub(super) use interposed::are_the_programs;
pub use sfi::Sfi;
