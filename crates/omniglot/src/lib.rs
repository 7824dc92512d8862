//! Call C libraries that you do not trust, with memory safety *and* type safety.
//!
//! A build script turns a C header and an installed library (or C sources) into a
//! Rust type; its methods run the library in a confined worker process. Whatever
//! the library does, safe Rust stays safe: foreign code cannot touch the host's
//! memory, no invalid value becomes a Rust value, no reference into foreign memory
//! is alive while foreign code runs, and a crash, hang or forbidden system call is
//! an [`Error`] of that call.
//!
//! ```ignore
//! // build.rs
//! fn main() -> omniglot_build::Result<()> {
//!     omniglot_build::Library::new("zlib")
//!         .header("zlib.h")
//!         .pkg_config("zlib")
//!         .allowlist_function("zlibVersion|crc32")
//!         .generate()
//! }
//!
//! // main.rs
//! mod zlib {
//!     omniglot::include_library!("zlib");
//! }
//!
//! let mut zlib = zlib::Zlib::builder().build()?;
//! let data = zlib.alloc_slice(b"hello")?;
//! let sum = zlib.crc32(0, &data, 5)?;
//! let version = zlib.zlibVersion()?; // an address, not yet trusted
//! println!("{sum:08x} {}", zlib.read_str(version, 64)?);
//! ```
//!
//! The example is `ignore`d here because it needs a build script. The guide, `docs/guide` in the
//! repository, explains one topic a page, over code that is built and run.
//!
//! # What is here
//!
//! | for | see |
//! |---|---|
//! | making an instance | [`include_library!`], [`Builder`], [`Isolation`], [`Permission`] |
//! | an instance's methods | the generated functions; [`Base`], which every instance derefs to: `read_at`, `read_str`, `read_vec`, `view`, `write`, `alloc`, `register`, `errno`, `poisoned`, `set_timeout`; `reset`, `scope`, `try_scope`, `malloc`, `free`, `call_pointer` and `fn_ptr` of the generated type itself |
//! | temporary memory and closures | [`Scope`]: `copy_in`, `value`, `out`, `zeroed`, `str`, `callback` |
//! | addresses | [`Ptr`], unchecked; [`Ref`], [`Slice`] and their `Mut`, checked; what can be passed as a pointer: [`AsPtr`] |
//! | memory that lasts | [`ForeignBox`], [`Table`] of callbacks, [`Handle`] of an object of the library's |
//! | values | [`Foreign`] types, a [`View`] of one, text in arrays: [`Characters`], [`characters`] |
//! | callbacks | [`Signature`] and [`FnPtr`]; [`Registered`]; how to leave one: [`Escape`], [`ErrorSlot`] |
//! | what goes wrong | [`Error`], [`Fault`], [`Cause`] |
//! | threads | [`Pool`]; [`InterruptHandle`] |
//! | a runtime of your own | [`Runtime`], [`Window`], [`Step`], [`Event`], [`Reply`]; [`Session`], which runs it |
//!
//! What only generated code needs is not listed.
//!
//! # Features
//!
//! Without the default feature `std` this crate is `no_std` and has no runtime: a kernel
//! takes one of its own, such as that of the crate `omniglot-pmp`. `alloc` adds closures that
//! scopes and instances own. `in-process` adds what runs foreign code in the host's own
//! process: [`Isolation::ProtectionKeys`], [`Isolation::Sfi`] and [`Unprotected`]; it is not on by default, since it
//! takes a disassembler, and defines `sigaction`, `mmap` and the like for the whole program.
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
// The rest is for generated code only, and for what measures and tests it.
#[doc(hidden)]
pub use omniglot_core::*;
#[cfg(feature = "std")]
pub use omniglot_linux::{
    FileSource, InterruptHandle, Isolation, LineSink, Linux, Options, Permission, Permissions,
    ProtectionKeys, Request, Sfi, SyscallPolicy, Unprotected,
};
#[cfg(feature = "std")]
pub use pool::{Pool, Pooled};

/// Includes what `omniglot_build` generated for a library in the build script.
///
/// The name is the one that `Library::new` was given there. Where the build script generated no
/// library of that name, compiling fails and says so, also where an earlier one had left one.
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
