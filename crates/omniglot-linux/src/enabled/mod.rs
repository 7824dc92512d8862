//! The runtimes on a target that has them: Linux with glibc or musl, on an architecture of `machine`.

mod channel;
mod code_places;
mod debug_info;
mod fd_passing;
mod files;
mod filters;
mod generation;
mod handshake;
mod images;
#[cfg(in_process)]
mod in_process;
#[cfg(not(in_process))]
#[path = "in_process_left_out.rs"]
mod in_process;
mod instance;
mod interrupt;
mod landlock;
mod layout;
mod learning;
mod libraries;
mod library_files;
mod linux;
mod listener;
mod load_spec;
mod machine;
mod mapping;
mod open_broker;
mod parting;
pub(crate) mod probes;
mod processors;
mod report;
mod requests;
mod search_paths;
mod seccomp_notify;
mod spares;
mod spawner;
mod spinning;
mod start;
mod system;
mod tables;
mod timer;
mod tree;
pub(crate) mod trial;
mod worker;
mod world;

pub use in_process::{ProtectionKeys, Sfi, Unprotected};
pub use instance::Process;
pub use interrupt::InterruptHandle;
pub use linux::Linux;
