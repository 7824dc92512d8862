//! Foreign code in the host's process, on the caller's thread.

mod engine;
mod gate;
mod handler;
mod loading;
mod memory;
mod signals;
mod syscalls;
mod threads;
mod unprotected;
mod watchdog;

pub use engine::Interrupter;
pub use unprotected::Unprotected;
