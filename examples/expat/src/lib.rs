//! Reads XML documents into trees with expat, through bindings that check everything.
//!
//! expat runs in a worker process and calls three closures: for the start of an element, for its
//! end, and for text. They share one tree under construction, which they borrow as ordinary Rust
//! closures.

#![forbid(unsafe_code)]

mod error;
mod reader;
mod tree;

pub use error::Error;
pub use reader::Reader;
pub use tree::{Element, Node};

/// The bindings that are generated from `expat.h`.
mod expat {
    omniglot::include_library!("expat");
}

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
