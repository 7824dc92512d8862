//! Runs untrusted C libraries in a Rust kernel, behind RISC-V physical memory protection.
//!
//! The crate is for RV32 harts with machine and user mode. The kernel runs in machine mode, as Tock
//! and most bare-metal programs do. A foreign library runs in user mode, where PMP allows it only
//! its own code (read, execute) and its own RAM (read, write). The crate is `no_std`, needs no
//! allocator and works with any kernel that implements [`Kernel`]: the kernel lends it three PMP
//! entries and a timer, and serves interrupts that arrive while foreign code runs.
//!
//! `omniglot-build` binds libraries as on Linux. For this target it makes an image that is linked
//! to a region of memory. The crate's README has a complete example.
//!
//! # Soundness invariants
//!
//! Every `unsafe` block in this crate argues from these invariants, and from those of the core.
//!
//! 1. **Region.** A [`ForeignRegion`]'s memory is RAM in which no Rust object lies, and
//!    there is one token for it. Whoever created the token promised that. A window lies in it.
//! 2. **Confined.** Only the gate enters foreign code, and only after the PMP entries were
//!    read back: three entries for this domain's code and RAM, locked entries without
//!    permissions for user mode, all others off. Under lockdown (Smepmp) these entries
//!    exclude machine mode, and the kernel accesses nothing of the domain before its own
//!    entries are restored.
//! 3. **User mode.** Foreign code runs with `mstatus` = TW: user mode, no floating point
//!    or vector state, no counters (`mcounteren` = 0), no delegation (`medeleg`, `mideleg`
//!    = 0), no translation (`satp` = 0). Every trap goes to the gate, which returns to the
//!    function that entered. So foreign code runs only within
//!    [`Runtime::run`](omniglot_core::Runtime::run) and
//!    [`reload`](omniglot_core::Runtime::reload).
//! 4. **Kernel state.** The crate restores whatever hart state it changes before interrupts
//!    can be taken again. So the kernel, or another domain that an interrupt handler calls,
//!    finds its own state.
//! 5. **Registers.** The crate accesses only control and status registers that every hart
//!    has, or that this hart has: `misa` says so, or the [`Kernel`] promised. Reading them
//!    has no side effect.

#![no_std]

mod csr;
mod gate;
mod image;
mod kernel;
mod machine;
mod protection;
mod region;
mod runtime;
mod trap;

pub use kernel::{After, Kernel};
pub use region::ForeignRegion;
pub use runtime::{InterruptHandle, Pmp};
