//! A decompression workload: zlib's `inflate` on the kernel's sample. The same loop calls the
//! library linked to this program and the one behind its protection; the kernel's own service is
//! the third variant.

use omniglot_kernel::sample::{LENGTH, PACKED};

/// Size of the input and output chunks, as in the kernel's service.
pub(crate) const CHUNK: usize = 16 << 10;
/// Size of `z_stream` in words (zlib.h), and the indices of the fields that are used.
pub(crate) const WORDS: usize = 14;
pub(crate) const NEXT_IN: usize = 0;
pub(crate) const LEFT_IN: usize = 1;
pub(crate) const NEXT_OUT: usize = 3;
pub(crate) const LEFT_OUT: usize = 4;
/// The largest window, with automatic detection of the format (zlib.h, inflateInit2).
pub(crate) const ANY_FORMAT: usize = 15 + 32;
/// What `inflate` returns at the end of the stream.
const END: usize = 1;

/// zlib in any of the variants.
pub(crate) trait Inflate {
    /// The variant's error.
    type Error;
    /// Starts a stream.
    fn start(&mut self) -> Result<(), Self::Error>;
    /// Passes the next input.
    fn feed(&mut self, packed: &[u8]) -> Result<(), Self::Error>;
    /// Runs `inflate` with an empty output buffer. Returns its result, and what is left of input
    /// and output.
    fn step(&mut self) -> Result<(usize, [usize; 2]), Self::Error>;
    /// Ends the stream.
    fn end(&mut self) -> Result<(), Self::Error>;
}

/// Decompresses the sample. Returns true if all of it came out.
pub(crate) fn run<Z: Inflate>(zlib: &mut Z) -> Result<bool, Z::Error> {
    zlib.start()?;
    let mut total = 0;
    let mut status = 0;
    for chunk in PACKED.chunks(CHUNK) {
        zlib.feed(chunk)?;
        loop {
            let (answer, [left_in, left_out]) = zlib.step()?;
            total += CHUNK.saturating_sub(left_out);
            status = answer;
            if status == END || (left_in == 0 && left_out > 0) {
                break;
            }
        }
    }
    zlib.end()?;
    Ok(status == END && total == LENGTH)
}
