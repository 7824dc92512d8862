//! Call C libraries that you do not trust, with memory safety *and* type safety.
//!
//! A build script names a C header and a library, or C sources. It generates a Rust type, whose
//! methods are the C functions. They run in a confined worker process. Whatever the library does,
//! safe Rust stays safe:
//!
//! - It cannot read or write the host's memory.
//! - No invalid value becomes a Rust value.
//! - No reference into its memory is alive while it runs.
//! - A crash, an endless loop or a forbidden system call is an [`Error`] of that call.
//!
//! In `build.rs`, which this documentation cannot run:
//!
//! ```ignore
//! fn main() -> omniglot_build::Result<()> {
//!     omniglot_build::Library::new("parts")
//!         .header("parts.h")
//!         .include("c")
//!         .source("c/parts.c") // or `.pkg_config("parts")`, for a library that is installed
//!         .generate()
//! }
//! ```
//!
//! In `src/main.rs`:
//!
//! ```
//! # /*
//! mod parts {
//!     omniglot::include_library!("parts");
//! }
//! # */
//! # use omniglot_guide::parts;
//!
//! # fn main() -> omniglot::Result<()> {
//! let mut parts = parts::Parts::builder().build()?;
//! let counts = parts.alloc_slice(&[3, 4])?; // a copy in the library's memory
//! assert_eq!(parts.parts_total(&counts, 2)?, 7);
//!
//! let title = parts.parts_title()?; // an address, not yet trusted
//! assert_eq!(&*parts.read_str(title, 64)?, "parts & co.");
//!
//! let error = parts.parts_crash().unwrap_err(); // the library crashed, and this program did not
//! println!("{error}");
//! # Ok(())
//! # }
//! ```
//!
//! The guide, `docs/guide` in the repository, explains one topic on each page, over the same library
//! `parts`. In the examples of other items, `library` is an instance of some library.
//!
//! # What is here
//!
//! | for | see |
//! |---|---|
//! | making an instance | [`include_library!`], [`Builder`], [`Isolation`], [`Permission`] |
//! | an instance's methods: the generated functions | `cargo doc --no-deps --open` in your crate |
//! | an instance's methods: memory, callbacks, state | [`Base`], to which every instance derefs: `read_at`, `read_str`, `read_vec`, `view`, `write`, `alloc`, `register`, `errno`, `poisoned`, `set_timeout` |
//! | an instance's methods: the rest | of the generated type itself: `reset`, `scope`, `try_scope`, `malloc`, `free`, `call_pointer`, `fn_ptr` |
//! | temporary memory and closures | [`Scope`]: `copy_in`, `value`, `out`, `zeroed`, `str`, `callback` |
//! | addresses | [`Ptr`] is unchecked; [`Ref`], [`RefMut`], [`Slice`] and [`SliceMut`] are checked; [`AsPtr`] lists what can be passed where C takes a pointer |
//! | memory that lasts | [`ForeignBox`]; [`Table`], a struct of callbacks; [`Handle`], which owns an object that the library made |
//! | values | [`Foreign`] types; a [`View`], which borrows one; text in arrays: [`Characters`], [`characters`] |
//! | callbacks | [`Signature`] and [`FnPtr`]; [`Registered`]; how to leave one: [`Escape`], [`ErrorSlot`] |
//! | what goes wrong | [`Error`], [`Fault`], [`Cause`] |
//! | threads | [`Pool`]; [`InterruptHandle`] |
//! | a runtime of your own | [`Runtime`], [`Window`], [`Step`], [`Event`], [`Reply`]; [`Session`], which runs it |
//!
//! The list leaves out what only generated code needs.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `std`, on by default | the runtimes for Linux. Without it this crate is `no_std` and has no runtime: a kernel takes one of its own, such as that of the crate `omniglot-pmp` |
//! | `alloc`, part of `std` | closures that scopes and instances own |
//! | `symbols`, on by default | the source's line where a library faulted, if it has debug information ([`Fault::place`]) |
//! | `in-process` | runtimes in the host's own process: [`Isolation::ProtectionKeys`], [`Isolation::Sfi`] and [`Unprotected`]. It compiles a disassembler, and defines `sigaction`, `mmap` and similar functions for the whole program. So it is not on by default |
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

#[cfg(feature = "std")]
mod builder;
#[cfg(feature = "std")]
mod pool;

#[cfg(feature = "std")]
pub use builder::Builder;
#[doc(inline)]
pub use omniglot_core::{
    Answer, Api, AsPtr, Base, Calls, Cause, Character, Characters, Error, ErrorSlot, Escape, Event,
    Fault, FaultKind, Field, FnPtr, Foreign, Guarantees, Instance, InvalidValue, IsolationKind,
    Library, MAX_BY_VALUE, MAX_DEPTH, Ptr, Raise, Received, Ref, RefMut, Reply, Result, Runtime,
    Scope, Session, Signature, Slice, SliceMut, Step, Text, Timer, ToRef, ToRefMut, ToSlice,
    ToSliceMut, View, Void, Window, call_pointer, characters, fn_ptr, free, malloc, scope,
    try_scope, with_callback, with_callback_at, with_fallible_callback,
};
#[cfg(feature = "std")]
#[doc(inline)]
pub use omniglot_core::{Entries, ForeignBox, Table};
#[cfg(feature = "alloc")]
#[doc(inline)]
pub use omniglot_core::{Handle, Object, Registered, Unvalidated};
// The rest is for generated code, and for tests and measurements of it.
#[doc(hidden)]
pub use omniglot_core::*;
#[cfg(feature = "std")]
#[doc(inline)]
pub use omniglot_linux::{
    FileSource, InterruptHandle, Isolation, LineSink, Linux, Options, Permission, Permissions,
    ProtectionKeys, Request, Sfi, SyscallPolicy, Unprotected,
};
#[cfg(feature = "std")]
pub use pool::{Pool, Pooled};

/// Includes the module that the build script generated for a library.
///
/// The name is that of `omniglot_build::Library::new`. If the build script generated no library of
/// that name, compiling fails and says so.
///
/// ```ignore
/// mod png {
///     omniglot::include_library!("png");
/// }
/// ```
#[macro_export]
macro_rules! include_library {
    ($name:literal) => {
        include!(env!(
            concat!("OMNIGLOT_LIBRARY_", $name),
            concat!(
                "build.rs generated no library `",
                $name,
                "`: it has to run `omniglot_build::Library::new(\"",
                $name,
                "\")`, with this very name, up to `.generate()`, with `omniglot-build` in \
                 `[build-dependencies]`"
            )
        ));
    };
}
