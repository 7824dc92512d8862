//! The same C libraries through plain unsafe FFI, as the demo's baseline.
//!
//! [`article`] is deliberately unsound: it shows what goes wrong without Omniglot.
//! [`decode`] is what Omniglot's speed is compared with; it trusts libpng wholly.

pub mod article;
mod decode;

pub use decode::{Pixels, decode};
