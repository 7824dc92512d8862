//! Types, checks and calls for the safe use of untrusted C libraries.
//!
//! This crate is what every runtime shares: addresses in foreign memory
//! ([`Ptr`], [`Ref`], [`Slice`]), validated values ([`Foreign`], [`View`]), calls
//! and callbacks ([`call()`], [`Signature`]) and the [`Runtime`] trait that runs
//! them somewhere. It is `no_std` and needs no allocator; users import it through
//! the crate `omniglot`.
//!
//! # Soundness invariants
//!
//! Every `unsafe` block in this crate argues from these.
//!
//! 1. **Window.** While a [`Window`] exists, the host may read all of its bytes at
//!    `host .. host + len`, and write those of the exchange area and those that
//!    [`Runtime::check_writable`] accepts; and no Rust object lives there.
//! 2. **Checked ranges.** A host pointer into a window is only made by
//!    `Window::locate`, from a range that was checked to lie in it, or by `Frames::write`, on a
//!    stack that was checked to lie in it when both were put together. It is kept for as long
//!    as a call at most, which borrows the instance, so that nobody can reset it meanwhile.
//! 3. **No reference where somebody else writes.** Where
//!    [`Runtime::is_concurrent`] is true, window memory is only read and written
//!    through raw volatile copies; no `&T` to it exists. Where it is false,
//!    a `&T` to it only lives in a [`View`] that borrows the instance, a `&mut [u8]`
//!    only while [`Base::write_slice_with`] has the instance borrowed by `&mut`, and
//!    foreign code runs only with the instance borrowed by `&mut`. Either way this crate
//!    writes window memory only with the instance borrowed by `&mut`.
//! 4. **Read once.** Bounds, bits and value come from one read: what was
//!    validated is what is used.
//! 5. **Validity.** Bytes become a `T` only through zerocopy's `TryFromBytes`,
//!    for `T: Immutable + Copy + 'static` ([`Foreign`]'s supertraits).
//! 6. **Closures.** A borrowed closure in the slot table is removed before the
//!    borrow ends, because it is put there only by functions that remove it
//!    when they return or unwind, nobody else can reach their guards, and an
//!    [`Api`] always leads to the same table. Only the owner can reset it, whom no
//!    guard leaves alone: it borrows the instance.
//! 7. **Whole instances move.** Closures that are not `Send` are in the table
//!    only while the instance is mutably borrowed, so an instance that can be
//!    moved to another thread holds only `Send` ones.
//! 8. **Copies.** Each function that copies or clears raw bytes gets ranges that are valid
//!    for the length that it gets, that do not overlap, and that are aligned where it says so.
//!    It accesses nothing outside of them.
//! 9. **Own storage.** A buffer that the host owns was allocated with the layout that is kept
//!    with it, is initialised, and is reached through its owner only.
//! 10. **Unchecked builds.** Whoever sets the cfg `omniglot_unchecked`, to measure, promises
//!     that foreign code behaves in every respect that is not checked then (`checks`).
//! 11. **Steps fit.** Only a [`Session`] runs its runtime, which nobody else can reach but to
//!     look at: so a step always fits the calls in progress, and none follows a failure that
//!     poisons. Between a good [`check_alive`](Runtime::check_alive) and the step no code of the
//!     user's runs, so the process is still the one that was checked. A session is poisoned
//!     while it is reset, so that a reset that panics leaves no call that could start.

#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(feature = "alloc"),
    allow(clippy::drop_non_drop, reason = "with an allocator, closures are owned and have a drop")
)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod address;
mod base;
#[cfg(feature = "alloc")]
mod batch;
mod bits;
#[cfg(feature = "std")]
mod boxed;
#[cfg(feature = "std")]
mod boxes;
mod call;
mod callback;
mod calls;
mod chars;
mod checks;
mod domain;
mod error;
mod error_slot;
#[doc(hidden)]
pub mod faults;
mod foreign;
mod frame;
#[cfg(feature = "alloc")]
mod handle;
mod heap;
mod identity;
mod instance;
mod layouts;
mod library;
mod memory;
mod operations;
#[cfg(feature = "alloc")]
mod queue;
mod runtime;
mod scope;
mod session;
mod slots;
mod stack;
mod strings;
#[cfg(feature = "std")]
mod table;
mod text;
mod timer;
mod view;
mod wrapping;

pub use address::{AsPtr, Field, FnPtr, Ptr, Ref, RefMut, Slice, SliceMut, Void};
pub use address::{ToRef, ToRefMut, ToSlice, ToSliceMut};
/// For generated code, where there may be no standard library.
#[cfg(feature = "alloc")]
#[doc(hidden)]
pub use alloc::vec::Vec;
pub use base::{Api, Base, Unsized};
#[cfg(feature = "alloc")]
pub use batch::Batch;
pub use bits::{get_bits, put_bits};
#[cfg(feature = "std")]
pub use boxed::ForeignBox;
pub use call::{call, call_pointer, fn_ptr};
#[cfg(feature = "alloc")]
pub use callback::Registered;
pub use callback::{Answer, Escape, Raise, Received, Signature};
pub use callback::{with_callback, with_callback_at, with_fallible_callback};
pub use calls::{Calls, MAX_DEPTH};
pub use chars::{Character, Characters, characters};
pub use checks::CHECKED;
pub use error::{Cause, Error, Fault, FaultKind, InvalidValue, Result};
pub use error_slot::ErrorSlot;
pub use foreign::{Bits, Foreign, MAX_BY_VALUE, encode_field, explain_field};
pub use frame::{Frame, HEADER_SIZE, decode_field};
#[cfg(feature = "alloc")]
pub use handle::{Handle, Object};
pub use heap::{free, malloc};
pub use instance::Instance;
#[doc(hidden)]
pub use instance::{OwnedApi, UsedByManyThreads};
#[doc(hidden)]
pub use library::Aligned;
pub use library::{BUILTIN_SHIMS, Description, Library, SANDBOXED};
pub use memory::Window;
#[cfg(feature = "alloc")]
pub use queue::MAX_DESTRUCTOR_FRAME;
pub use runtime::{Event, Guarantees, IsolationKind, Reply, Runtime, Step};
pub use scope::{Scope, scope, try_scope};
pub use session::Session;
#[cfg(feature = "std")]
pub use table::{Entries, Table};
pub use text::Text;
pub use timer::Timer;
#[cfg(feature = "alloc")]
pub use view::Unvalidated;
pub use view::View;
pub use wrapping::{failed_status, length_in, length_out, same_length};

/// The crate whose derives validate generated types; re-exported for generated code.
pub use zerocopy;
