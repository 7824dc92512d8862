//! zlib as `std::io::Read` and `std::io::Write`, through bindings that check everything.
//!
//! zlib runs in a worker process. Whatever zlib does, with whatever data, the worst result is an
//! error: an impossible count is refused, and a crash only affects one instance.

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

/// The bindings that are generated from `zlib.h`.
mod zlib {
    omniglot::include_library!("zlib");
}

use std::time::Duration;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The most memory that zlib and its data may take together, in bytes.
const MEMORY: usize = 1 << 30;

/// The longest that one call may take; each call has little work.
const TIME: Duration = Duration::from_secs(10);

/// Starts a worker with zlib.
///
/// # Errors
/// The errors of [`omniglot::Builder::build`].
pub fn start() -> Result<Zlib> {
    Ok(Zlib::builder().memory_limit(MEMORY).timeout(TIME).build()?)
}
