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
//! The example is `ignore`d here because it needs a build script; the project's
//! tests build and run it as a crate of its own.
//!
//! Without the default feature `std` this crate is `no_std` and has no runtime: a kernel
//! takes one of its own, such as that of the crate `omniglot-pmp`.
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

#[cfg(feature = "std")]
mod builder;
#[cfg(feature = "std")]
mod pool;

#[cfg(feature = "std")]
pub use builder::Builder;
pub use omniglot_core::*;
#[cfg(feature = "std")]
pub use omniglot_linux::{
    InterruptHandle, Isolation, Linux, Options, Permission, Permissions, ProtectionKeys,
    Unprotected,
};
#[cfg(feature = "std")]
pub use pool::{Pool, Pooled};

/// Includes what `omniglot_build` generated for a library in the build script.
///
/// The name is the one that `Library::new` was given there. If the compiler "couldn't read" a
/// file in `omniglot/`, either the names differ, or the build script does not end with
/// `.generate()`.
///
/// ```ignore
/// mod png {
///     omniglot::include_library!("png");
/// }
/// ```
#[macro_export]
macro_rules! include_library {
    ($name:literal) => {
        include!(concat!(
            env!(
                "OUT_DIR",
                "there is no build script: `build.rs` has to run \
                 `omniglot_build::Library::new(NAME)...generate()`, with `omniglot-build` in \
                 `[build-dependencies]`"
            ),
            "/omniglot/",
            $name,
            ".rs"
        ));
    };
}
