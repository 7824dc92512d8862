//! The demo's parts, for its tests and for readers.
//!
//! [`Decoder`] is the central example: a safe decoder that uses the system's libpng, without unsafe
//! code and without trusting libpng.
#![forbid(unsafe_code)]

pub mod damage;
mod decoder;
mod picture;
pub mod samples;

pub use decoder::{DecodeError, Decoder, PIECE};
pub use picture::Picture;
