//! zlib as `std::io::Read` and `std::io::Write`, over bindings that check everything.
//!
//! zlib runs in a worker process. Whatever it does there, with whatever data, costs no more than an
//! error: an impossible count is refused, and a crash ends one instance.

#![forbid(unsafe_code)]

mod error;
mod read;
mod session;
mod slices;
mod write;

pub use error::Error;
pub use read::Decompressor;
pub use slices::{compress, uncompress};
pub use write::{Compressor, Format};
pub use zlib::Zlib;

/// What was generated from `zlib.h`.
mod zlib {
    omniglot::include_library!("zlib");
}

use std::time::Duration;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The most memory that zlib and its data may take together, in bytes.
const MEMORY: usize = 1 << 30;

/// The longest that one call may take; each gets little to do.
const TIME: Duration = Duration::from_secs(10);

/// Starts a worker with zlib in it.
///
/// # Errors
/// What [`omniglot::Builder::build`] says.
pub fn start() -> Result<Zlib> {
    Ok(Zlib::builder().memory_limit(MEMORY).timeout(TIME).build()?)
}
