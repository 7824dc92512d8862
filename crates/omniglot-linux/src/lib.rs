//! The process runtime: an untrusted C library runs in a confined worker process.
//!
//! [`Linux::start`] loads a library in a fresh process that has no files, no
//! rights and next to no system calls. All of that process's memory is one
//! *window*, which the host maps, too, and calls go through a *channel* in that
//! window: a cache line on which both sides spin for a while and then sleep.
//! Users meet this crate through the crate `omniglot`.
//!
//! # How a worker comes to be
//!
//! 1. The host makes the window's memory (`mapping`), writes down what the worker
//!    must know (`layout`), and has one thread that never ends spawn the *stub*
//!    (`spawner`), a small static program of `worker/stub/`.
//! 2. The stub gives up all rights, takes all address space but the window, and
//!    starts the system's dynamic linker in it.
//! 3. The dynamic linker starts the *loader* (`worker/loader/`), which loads the
//!    library, makes libc's heap, and puts the window's memory in the place of
//!    everything that was mapped so far.
//! 4. The loader serves calls until the host kills it.
//!
//! Loading is hostile time already, since a library's constructors run in it. What
//! confines it: Landlock (files, sockets, signals; where the kernel
//! has none, or the worker may write to a pipe of the host, the host opens files for
//! the worker), a seccomp filter (system calls), no
//! capabilities, no new privileges, no descriptors of the host. After loading a
//! second filter leaves `futex` and `exit_group`, and what [`Permissions`] name.
//!
//! # Limits
//!
//! - A library that is hostile while it is loaded can keep the loader from applying
//!   the second filter. It then keeps what the first one allows: reading the
//!   directories of libraries, seeing which files exist, mapping memory of its own.
//! - Foreign code runs on one thread; a system call that starts one is denied.
//! - Side channels between processes remain.
//!
//! # Soundness invariants
//!
//! Every `unsafe` block in this crate argues from these.
//!
//! 1. **Mapped.** A `Mapping` owns its whole address range, which stays readable
//!    and writable until it is dropped: the file behind it was sealed at its size
//!    before it was mapped.
//! 2. **No Rust objects.** The kernel chose the range of a mapping, so no Rust
//!    object lives there; what does is foreign bytes, touched only through volatile
//!    copies ([`Window`](omniglot_core::Window)) and atomics (the channel).
//! 3. **Alive.** Whoever holds a pointer into a mapping holds an `Arc` of it.
//! 4. **Somebody else's word.** Everything in a mapping may change at any time; it
//!    is read once, and what it says is checked before it is used.

// For the support module that unit tests share with integration tests.
#[cfg(test)]
extern crate self as omniglot_linux;

#[cfg(not(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")))]
mod disabled;
#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
mod enabled;
mod fate;
mod options;
mod survey;

#[cfg(not(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")))]
pub use disabled::{InterruptHandle, Linux, ProtectionKeys, Unprotected};
#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
pub use enabled::{InterruptHandle, Linux, Process, ProtectionKeys, Unprotected};
pub use fate::Fate;
pub use options::{Isolation, Options, Permission, Permissions};
pub use survey::{
    Choice, Kernel, KeyTrial, Machine, Mechanisms, MemfdExec, Processor, Requirement,
};
