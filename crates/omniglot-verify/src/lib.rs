//! Proves that x86-64 machine code stays in its own 4 GiB of memory: no load, no store, no jump
//! leaves them, whatever the code was written to do. It needs no hardware for that, and trusts
//! neither the compiler nor the tool that prepared the code: only the bytes count.
//!
//! [`verify()`] takes a *text*, the code as it will lie in a *region*, and either says what the text
//! uses or names the first place that breaks a [`Rule`], and the remedy. It decodes by itself, so
//! this crate depends on nothing, and has no unsafe code.
//!
//! # What holds
//!
//! Let B be the region's base, a multiple of 4 GiB ([`REGION`]). Whenever an instruction or a
//! group of a verified text begins, however control got there:
//!
//! - **V1** control is in the text, at the beginning of an instruction or group that the sweep
//!   saw; or it is in a gate, at the beginning of a line;
//! - **V2** the base of `%gs:` is B, and the 8 bytes at B + [`BASE`] hold B;
//! - **V3** RSP is between B and B + 4 GiB; behind a step that is not yet followed by an access to
//!   the stack, less than 64 KiB outside of them;
//! - **V4** the direction flag is clear, and so is the alignment-check flag.
//!
//! So each of its accesses lies in the region, or in the guard pages beside it ([`GUARD`]), where
//! it faults. `docs/sfi.md` goes through all kinds of instructions and says why each keeps these.
//!
//! # What the host must do
//!
//! - **H1** The bytes that were verified are those that run: sealed, or writable by nobody; all
//!   that is executable in the region is the text and the gates, and no page of the region is
//!   ever writable and executable, under any address.
//! - **H2** The first and last [`GUARD`] bytes of the region are not mapped, but for the page of
//!   [`BASE`], which foreign code cannot write; neither is anything else than regions so guarded
//!   within [`GUARD`] bytes of the region.
//! - **H3** It enters at the beginning of a line of the text, with V2, V3 and V4, and expects
//!   nothing of registers when foreign code leaves through a gate: neither their values nor flags
//!   nor, where [`Uses`] says so, control words and what exceptions of the x87 unit wait for.
//! - **H4** Each line of a gate is safe to enter with any register contents but V2 to V4, and RSP
//!   is not used before it was replaced.
//! - **H5** One thread at a time runs in a region, and nothing else writes its stack meanwhile:
//!   else the address that is pushed for `ret` may be changed before it is used.
//! - **H6** Signal handlers run on an alternate stack, outside of all regions: RSP may be below
//!   4 GiB within a group.
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
