//! Foreign code in the host's process, on the caller's thread.

mod calls;
mod changes;
mod code;
mod engine;
mod executable;
mod features;
mod forked;
mod frame;
mod fs_base;
mod gadgets;
mod gate;
mod handler;
mod identity;
mod keys;
mod linker;
mod loading;
mod memory;
mod objects;
mod output;
mod patch;
mod protection_keys;
mod signals;
mod snapshot;
mod syscalls;
mod threads;
mod unprotected;
mod watchdog;
mod x87;

pub(super) use engine::Interrupter;
pub(super) use features::{has_unknown_registers, lies_below_4_gib};
pub use protection_keys::ProtectionKeys;
pub use unprotected::Unprotected;
