//! Runs untrusted C libraries in a Rust kernel, behind RISC-V physical memory protection.
//!
//! For RV32 harts with machine and user mode. The kernel runs in machine mode, as Tock and
//! most bare-metal programs do; a foreign library runs in user mode, where PMP allows it
//! its own code (read, execute) and its own RAM (read, write). The crate is `no_std`, needs
//! no allocator and belongs to no one kernel: a [`Kernel`] lends it three PMP entries, a
//! timer, and serves the interrupts that arrive meanwhile.
//!
//! Libraries are bound as on Linux, by `omniglot-build`, which for this target makes an
//! image that is linked to a region of memory. See the crate's README for a whole example.
//!
//! # Soundness invariants
//!
//! Every `unsafe` block in this crate argues from these, and from the core's.
//!
//! 1. **Region.** A [`ForeignRegion`]'s memory is RAM in which no Rust object lies, and
//!    there is one token for it (who made the token promised). A window lies in it.
//! 2. **Confined.** Foreign code is entered only by the gate, only after the PMP entries
//!    were read back: three entries for this domain's code and RAM, locked entries without
//!    permissions for user mode, all others off. In lockdown (Smepmp), where these entries
//!    shut machine mode out, the kernel accesses nothing of the domain's before they are
//!    put back.
//! 3. **User mode.** Foreign code runs with `mstatus` = TW: user mode, no floating point
//!    or vector state, no counters (`mcounteren` = 0), no delegation (`medeleg`, `mideleg`
//!    = 0), no translation (`satp` = 0), and every trap goes to the gate, which gives
//!    control back to the function that entered. So foreign code runs only within
//!    [`Runtime::run`](omniglot_core::Runtime::run) and
//!    [`reload`](omniglot_core::Runtime::reload).
//! 4. **State of the kernel.** What the crate changes of the hart it puts back before
//!    interrupts can be taken again, so that a kernel, or another domain that an
//!    interrupt handler calls, finds its own.
//! 5. **Registers.** Only control and status registers are accessed that every hart has, or
//!    that this hart has: `misa` says so, or the [`Kernel`] promised. Reading them has no
//!    effect.

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
