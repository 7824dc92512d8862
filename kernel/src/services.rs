//! What the kernel does with foreign libraries, in terms of Rust.
//!
//! Each service has one library, in a domain of its own: what one library does to itself,
//! the others do not notice.

pub mod blocks;
pub mod compression;
pub mod cryptography;
pub mod files;
pub mod signatures;
pub mod network;
