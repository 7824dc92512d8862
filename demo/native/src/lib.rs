//! The same C libraries through plain unsafe FFI, as the demo's baseline.
//!
//! [`article`] is deliberately unsound: it shows what goes wrong without Omniglot. [`decode`] is
//! the baseline for Omniglot's speed; it trusts libpng completely.

pub mod article;
mod decode;

pub use decode::{Pixels, decode};
