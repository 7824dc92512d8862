//! QEMU's riscv32 board `virt`: start-up, devices, memory map. All of the kernel's unsafe
//! code is here; what is above this crate is under `forbid(unsafe_code)`.
//!
//! To port the kernel to another board, write this crate anew for it. What it must give is
//! [`Board`] and what that holds, and [`Hart`], the kernel's half of `omniglot-pmp`.
//!
//! # Invariants
//!
//! Every `unsafe` block in this crate argues from these.
//!
//! 1. **One owner.** [`Board::take`] gives its value once, and each device is made by it
//!    alone; so each register and buffer has one user. The exceptions: the time is read by
//!    all; only the interrupt handler writes the timer's comparison registers once
//!    interrupts are on; and a kernel that cannot go on (`trouble`) uses the serial line and
//!    the finisher, whoever had them.
//! 2. **The board.** Devices are where QEMU's `hw/riscv/virt.c` has them; accesses to their
//!    registers have the size that their documentation says, and none makes the device write
//!    to memory but through the buffers of invariant 4. The hart has 16 PMP entries, all off
//!    after a reset.
//! 3. **Memory map.** The linker places the kernel below `map::FOREIGN`; nothing but
//!    foreign libraries is at or above it, and their regions do not overlap.
//! 4. **Own buffers.** Devices are given buffers of this crate's or its callers' Rust
//!    objects, below `map::FOREIGN`, and never foreign memory: data for and from
//!    foreign memory goes through a copy here. While a device has a buffer, nobody else
//!    touches its bytes.
//! 5. **Interrupts.** Each interrupt that is enabled has a handler, which uses atomics, the
//!    timer's comparison registers and `mie` only; and interrupts are enabled for the first
//!    time at the end of [`Board::take`], outside of any critical section.

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
