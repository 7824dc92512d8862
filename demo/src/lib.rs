//! What the demo is made of, for its tests and for readers.
//!
//! [`Decoder`] is the showcase: a safe decoder over the system's libpng, without a
//! line of unsafe code and without trust in libpng.
#![forbid(unsafe_code)]

pub mod damage;
mod decoder;
mod picture;
pub mod samples;

pub use decoder::{DecodeError, Decoder, PIECE};
pub use picture::Picture;
