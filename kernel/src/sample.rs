//! A compressed file, to be decompressed.

include!(concat!(env!("OUT_DIR"), "/sample.rs"));

/// The file, compressed in gzip's format.
pub const PACKED: &[u8] = &ALIGNED.0;

/// Bytes where words could be, as buffers of devices are: what is not is copied byte by byte.
#[repr(C, align(4))]
struct Aligned<B: ?Sized>(B);

const ALIGNED: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/sample.gz")));
