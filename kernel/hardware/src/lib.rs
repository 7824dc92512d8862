//! QEMU's riscv32 board `virt`: start-up, devices, memory map. All of the kernel's unsafe code is
//! here; the crates above are under `forbid(unsafe_code)`.
//!
//! To port the kernel to another board, write this crate anew. It has to provide [`Board`] with its
//! fields, and [`Hart`], the kernel's implementation of `omniglot-pmp`'s `Kernel`.
//!
//! # Invariants
//!
//! Every `unsafe` block in this crate argues from these.
//!
//! 1. **One owner.** [`Board::take`] returns its value once, and only it makes devices; so each
//!    register and each buffer has one user. There are three exceptions: everybody reads the time;
//!    once interrupts are enabled, only the interrupt handler writes the timer's comparison
//!    registers; and a kernel that cannot continue (`trouble`) uses the serial line and the
//!    finisher, whoever owned them.
//! 2. **The board.** Devices are where QEMU's `hw/riscv/virt.c` has them. Accesses to their
//!    registers have the size that their documentation says, and none makes the device write to
//!    memory other than the buffers of invariant 4. The hart has 16 PMP entries, all off after a
//!    reset.
//! 3. **Memory map.** The linker places the kernel below `map::FOREIGN`. Only foreign libraries are
//!    at or above it, and their regions do not overlap.
//! 4. **Own buffers.** Devices get buffers of this crate's or its callers' Rust objects, below
//!    `map::FOREIGN`, and never foreign memory: data for and from foreign memory is copied here.
//!    While a device has a buffer, nothing else accesses its bytes.
//! 5. **Interrupts.** Each enabled interrupt has a handler, which uses only atomics, the timer's
//!    comparison registers and `mie`. Interrupts are enabled for the first time at the end of
//!    [`Board::take`], outside any critical section.

#![no_std]

mod board;
mod clock;
mod dma;
mod entropy;
mod finisher;
mod guard;
mod hart;
mod interrupts;
pub mod memory;
mod mmio;
mod network;
mod plic;
mod storage;
mod trouble;
mod uart;

pub use board::Board;
pub use clock::{Clock, TICKS_PER_SECOND};
pub use entropy::Entropy;
pub use finisher::{Finisher, Outcome};
pub use hart::Hart;
pub use interrupts::{Idle, ticks};
pub use network::{NetworkCard, NotSent};
pub use storage::{Disk, DiskError, SECTOR};
pub use uart::Uart;
