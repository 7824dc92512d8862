//! Proves that x86-64 machine code stays in its own 4 GiB of memory: no load, store or jump leaves
//! them, whatever the code was written to do. It needs no hardware support, and trusts neither the
//! compiler nor the tool that prepared the code. Only the bytes count.
//!
//! [`verify()`] takes a *text*, the code as it will lie in a *region*. It returns what the text
//! uses, or the first place that breaks a [`Rule`], with a remedy. It has its own decoder, so this
//! crate has no dependencies and no unsafe code.
//!
//! # What it proves
//!
//! Let B be the region's base, a multiple of 4 GiB ([`REGION`]). Whenever an instruction or a group
//! of a verified text begins, these invariants hold, however control got there:
//!
//! - **V1** Control is in the text, at the beginning of an instruction or group that the sweep
//!   decoded, or in a gate, at the beginning of a line.
//! - **V2** The base of `%gs:` is B, and the 8 bytes at B + [`BASE`] hold B.
//! - **V3** RSP is between B and B + 4 GiB. Behind a step that no access to the stack has followed
//!   yet, it is less than 64 KiB outside.
//! - **V4** The direction flag and the alignment-check flag are clear.
//!
//! So every access lies in the region, or in the guard pages next to it ([`GUARD`]), where it
//! faults. `docs/sfi.md` shows for every kind of instruction that it preserves the invariants.
//!
//! # What the host must do
//!
//! - **H1** The bytes that were verified are those that run: they are sealed, or nobody can write
//!   them. Only the text and the gates are executable in the region. No page of the region is ever
//!   writable and executable, at any address.
//! - **H2** The first and last [`GUARD`] bytes of the region are not mapped, except for the page of
//!   [`BASE`], which foreign code cannot write. Nothing but other regions with such guards is
//!   mapped within [`GUARD`] bytes of the region.
//! - **H3** The host enters at the beginning of a line of the text, with V2, V3 and V4. It relies
//!   on no register when foreign code leaves through a gate: neither on values nor on flags nor,
//!   where [`Uses`] reports it, on control words and pending exceptions of the x87 unit.
//! - **H4** Each line of a gate is safe to enter with any register contents that satisfy V2 to V4.
//!   A gate does not use RSP before replacing it.
//! - **H5** One thread at a time runs in a region, and nothing else writes its stack meanwhile.
//!   Otherwise the address that is pushed for `ret` could change before its use.
//! - **H6** Signal handlers run on an alternate stack, outside of all regions, since RSP may be
//!   below 4 GiB within a group.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod decode;
mod forms;
mod group;
pub mod layout;
mod refusal;
mod region;
mod verify;
#[cfg(test)]
mod walk;

pub use refusal::{Refusal, Rule};
pub use region::{BASE, GUARD, LINE, REGION, STACK_REACH, TEXT_MAX, TEXT_MIN, Text};
pub use verify::{Uses, verify};
