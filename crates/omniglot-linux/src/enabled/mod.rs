//! The runtime where there is one: x86-64 Linux with glibc.

mod channel;
mod courier;
mod files;
mod filters;
mod generation;
mod handshake;
mod images;
mod in_process;
mod instance;
mod interrupt;
mod layout;
mod libraries;
mod linux;
mod mapping;
mod notifications;
mod opener;
mod plan;
mod probes;
mod report;
mod spares;
mod spawner;
mod start;
mod system;
mod tables;
mod timer;
mod worker;

pub(crate) use filters::fate_of;
pub use in_process::{ProtectionKeys, Unprotected};
pub use instance::Process;
pub use interrupt::InterruptHandle;
pub use linux::Linux;
pub(crate) use probes::look;
