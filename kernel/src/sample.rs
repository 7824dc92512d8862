//! A compressed file, to be decompressed.

include!(concat!(env!("OUT_DIR"), "/sample.rs"));

/// The file, compressed in gzip's format.
pub const PACKED: &[u8] = &ALIGNED.0;

/// Bytes at the alignment of words, as in a device's buffers: unaligned bytes are copied one by
/// one.
#[repr(C, align(4))]
struct Aligned<B: ?Sized>(B);

const ALIGNED: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/sample.gz")));
