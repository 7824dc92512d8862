//! Foreign code in the host's process, on the caller's thread.

mod addresses;
mod alternate_stack;
mod calls;
mod context;
mod engine;
mod execution;
pub(super) mod features;
mod forked;
mod frame;
mod fs_base;
mod gadgets;
mod gate;
mod handler;
mod identity;
pub(super) mod interposed;
pub(super) mod interrupter;
mod kernel_signals;
mod keys;
mod kick;
mod loading;
mod masks;
mod memory;
mod output;
pub(super) mod places;
mod sfi;
mod shared_page;
mod sigmask;
mod signals;
mod snapshot;
mod strangers;
mod syscalls;
mod threads;
mod watchdog;
mod x87;

pub use engine::{ProtectionKeys, Unprotected};
pub use sfi::Sfi;
