//! A compressed file, to be decompressed.

include!(concat!(env!("OUT_DIR"), "/sample.rs"));

/// The file, compressed in gzip's format.
pub const PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sample.gz"));
