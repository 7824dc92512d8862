//! Decompression of the kernel's sample: the same loop over zlib's `inflate` for the library
//! linked to this program and for the one behind its protection, and the kernel's own service.

use omniglot_kernel::sample::{LENGTH, PACKED};

/// How much goes in and comes out at a time, as in the kernel's service.
pub(crate) const CHUNK: usize = 16 << 10;
/// What `z_stream` holds, in words (zlib.h), and which of them are of interest.
pub(crate) const WORDS: usize = 14;
pub(crate) const NEXT_IN: usize = 0;
pub(crate) const LEFT_IN: usize = 1;
pub(crate) const NEXT_OUT: usize = 3;
pub(crate) const LEFT_OUT: usize = 4;
/// The largest window, with the format found out from its first bytes (zlib.h, inflateInit2).
pub(crate) const ANY_FORMAT: usize = 15 + 32;
/// What `inflate` returns at the end of the stream.
const END: usize = 1;

/// zlib, wherever it runs.
pub(crate) trait Inflate {
    /// What can go wrong.
    type Error;
    /// Starts a stream.
    fn start(&mut self) -> Result<(), Self::Error>;
    /// Gives it what is to be decompressed next.
    fn feed(&mut self, packed: &[u8]) -> Result<(), Self::Error>;
    /// Runs it with the whole output free: its answer, and how much is left of input and output.
    fn step(&mut self) -> Result<(usize, [usize; 2]), Self::Error>;
    /// Ends the stream.
    fn end(&mut self) -> Result<(), Self::Error>;
}

/// Decompresses the sample; whether all of it came out.
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
