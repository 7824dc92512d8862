//! Compressing while writing.

use std::io::{self, Write};

use crate::session::{BUFFER, Direction, Session};
use crate::zlib::{self, Zlib};
use crate::{Error, Result};

/// The format of the compressed data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// zlib's: a header of two bytes and a checksum.
    Zlib,
    /// gzip's.
    Gzip,
}

impl Format {
    /// Returns the largest window, encoded with the format.
    fn window_bits(self) -> i32 {
        match self {
            Self::Zlib => 15,
            Self::Gzip => 15 + 16,
        }
    }
}

/// Compresses the data that is written to it, and writes the result to a sink.
///
/// Only [`finish`](Self::finish) writes the end of the data.
#[derive(Debug)]
pub struct Compressor<'z, W> {
    session: Session<'z>,
    sink: W,
    buffer: Box<[u8]>,
}

impl<'z, W: Write> Compressor<'z, W> {
    /// Starts a stream of compressed data, at a level from 0 (fast) to 9 (small).
    ///
    /// # Errors
    /// [`Error::Status`] if there is no such level.
    pub fn new(zlib: &'z mut Zlib, sink: W, format: Format, level: i32) -> Result<Self> {
        let direction = Direction::Deflate { level, window_bits: format.window_bits() };
        let session = Session::open(zlib, direction)?;
        Ok(Self { session, sink, buffer: vec![0; BUFFER].into() })
    }

    /// Writes the end of the data, and returns the sink.
    ///
    /// # Errors
    /// The errors of zlib and of the sink.
    pub fn finish(mut self) -> io::Result<W> {
        self.drain(zlib::Z_FINISH)?;
        Ok(self.sink)
    }

    /// Writes all output that zlib still holds.
    fn drain(&mut self, flush: i32) -> io::Result<()> {
        loop {
            let step = self.session.step(&[], &mut self.buffer, flush)?;
            self.write_produced(step.produced)?;
            if step.ended {
                return Ok(());
            }
            if step.produced < self.buffer.len() {
                // The buffer was not filled, so that was all of the output. With Z_FINISH it
                // includes the end.
                let ended = flush != zlib::Z_FINISH;
                return if ended { Ok(()) } else { Err(Error::Nonsense("it does not end").into()) };
            }
        }
    }

    fn write_produced(&mut self, produced: usize) -> io::Result<()> {
        self.sink.write_all(self.buffer.get(..produced).unwrap_or_default())
    }
}

impl<W: Write> Write for Compressor<'_, W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        while !data.is_empty() {
            let step = self.session.step(data, &mut self.buffer, zlib::Z_NO_FLUSH)?;
            self.write_produced(step.produced)?;
            if step.consumed > 0 {
                return Ok(step.consumed);
            }
            if step.produced == 0 {
                return Err(Error::Nonsense("it neither takes nor gives").into());
            }
        }
        Ok(0)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.drain(zlib::Z_SYNC_FLUSH)?;
        self.sink.flush()
    }
}
