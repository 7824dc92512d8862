//! Decompressing while reading.

use std::io::{self, BufRead, BufReader, Read};

use crate::session::{BUFFER, Direction, Session};
use crate::zlib::{self, Zlib};
use crate::{Error, Result};

/// The largest window; adding 32 makes zlib detect the format.
const WINDOW_BITS: i32 = 15 + 32;

/// Decompresses data from a source while it is read. zlib detects the format.
///
/// As with the command gzip, the outputs of consecutive streams are concatenated.
#[derive(Debug)]
pub struct Decompressor<'z, R> {
    session: Session<'z>,
    source: BufReader<R>,
    /// True once the last stream is complete.
    ended: bool,
}

impl<'z, R: Read> Decompressor<'z, R> {
    /// Decompresses the data of `source`.
    ///
    /// # Errors
    /// zlib's errors.
    pub fn new(zlib: &'z mut Zlib, source: R) -> Result<Self> {
        let session = Session::open(zlib, Direction::Inflate { window_bits: WINDOW_BITS })?;
        Ok(Self { session, source: BufReader::with_capacity(BUFFER, source), ended: false })
    }

    /// Continues with the stream after the one that has ended. Returns false if there is none.
    fn next_stream(&mut self) -> io::Result<bool> {
        if self.source.fill_buf()?.is_empty() {
            return Ok(false);
        }
        self.session.reset()?;
        self.ended = false;
        Ok(true)
    }
}

impl<R: Read> Read for Decompressor<'_, R> {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        if output.is_empty() {
            return Ok(0);
        }
        loop {
            if self.ended && !self.next_stream()? {
                return Ok(0);
            }
            let input = self.source.fill_buf()?;
            let at_end = input.is_empty();
            let step = self.session.step(input, output, zlib::Z_NO_FLUSH)?;
            self.source.consume(step.consumed);
            self.ended = step.ended;
            if step.produced > 0 {
                return Ok(step.produced);
            }
            if at_end && !step.ended {
                let message = "the compressed data ends too early";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
            }
            if step.consumed == 0 && !step.ended {
                return Err(Error::Nonsense("it neither takes nor gives").into());
            }
        }
    }
}
