//! The runtime where there is one: x86-64 Linux with glibc.

mod channel;
mod courier;
mod files;
mod filters;
mod generation;
mod images;
mod in_process;
mod instance;
mod interrupt;
mod layout;
mod libraries;
mod mapping;
mod notifications;
mod opener;
mod plan;
mod report;
mod spares;
mod spawner;
mod start;
mod system;
mod tables;
mod timer;
mod worker;

pub use in_process::{ProtectionKeys, Unprotected};
pub use instance::Linux;
pub use interrupt::InterruptHandle;
