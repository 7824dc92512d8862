//! XML documents as trees, read by expat, over bindings that check everything.
//!
//! expat runs in a worker process and calls three closures, for the start and the end of
//! an element and for text. They share one tree that grows, as plain Rust borrows.

#![forbid(unsafe_code)]

mod error;
mod reader;
mod tree;

pub use error::Error;
pub use reader::Reader;
pub use tree::{Element, Node};

/// What was generated from `expat.h`.
mod expat {
    omniglot::include_library!("expat");
}

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
