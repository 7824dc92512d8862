//! One zlib stream: its struct, and buffers for input and output, in zlib's memory.

use std::fmt;

use omniglot::{ForeignBox, Ptr, Text};

use crate::zlib::{self, Api, Zlib, z_stream, z_stream_s};
use crate::{Error, Result};

/// Size of the input and output buffers, in bytes.
pub(crate) const BUFFER: usize = 64 << 10;

/// Length of the longest message from zlib, in bytes.
const MESSAGE: usize = 256;

/// The direction of a stream, with its parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Direction {
    /// Compress at this level.
    Deflate { level: i32, window_bits: i32 },
    /// Decompress.
    Inflate { window_bits: i32 },
}

/// The result of one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Number of input bytes that were consumed.
    pub(crate) consumed: usize,
    /// Number of output bytes that were produced.
    pub(crate) produced: usize,
    /// True if the stream has ended.
    pub(crate) ended: bool,
}

/// An open stream. It borrows the instance, which dropping it needs in order to close it.
pub(crate) struct Session<'z> {
    zlib: &'z mut Zlib,
    direction: Direction,
    stream: ForeignBox<z_stream>,
    input: ForeignBox<[u8]>,
    output: ForeignBox<[u8]>,
}

impl<'z> Session<'z> {
    pub(crate) fn open(zlib: &'z mut Zlib, direction: Direction) -> Result<Self> {
        let stream = zlib.alloc(z_stream::default())?;
        let input = zlib.alloc_zeroed(BUFFER)?;
        let output = zlib.alloc_zeroed(BUFFER)?;
        init(zlib, &stream, direction)?;
        Ok(Self { zlib, direction, stream, input, output })
    }

    /// Makes zlib process as much input as it can, with the output that there is room for. `flush`
    /// is one of zlib's constants.
    pub(crate) fn step(&mut self, input: &[u8], output: &mut [u8], flush: i32) -> Result<Step> {
        let (given, room) = (input.len().min(BUFFER), output.len().min(BUFFER));
        self.prepare(input, given, room)?;
        let ended = self.call(flush)?;
        let stream = self.zlib.read(&self.stream)?;
        let consumed = given.checked_sub(stream.avail_in as usize);
        let produced = room.checked_sub(stream.avail_out as usize);
        let (Some(consumed), Some(produced)) = (consumed, produced) else {
            return Err(Error::Nonsense("it leaves more than it was given"));
        };
        if let Some(output) = output.get_mut(..produced)
            && let Some(bytes) = self.output.as_slice().range(0, produced)
        {
            self.zlib.read_into(bytes, output)?;
        }
        Ok(Step { consumed, produced, ended })
    }

    /// Resets a stream that has ended, for the one that follows.
    pub(crate) fn reset(&mut self) -> Result<()> {
        let status = match self.direction {
            Direction::Deflate { .. } => self.zlib.deflateReset(&self.stream)?,
            Direction::Inflate { .. } => self.zlib.inflateReset(&self.stream)?,
        };
        if status == zlib::Z_OK { Ok(()) } else { Err(Error::Status(status)) }
    }

    /// Sets the input and output of zlib's struct. Its other fields stay as they are.
    fn prepare(&mut self, input: &[u8], given: usize, room: usize) -> Result<()> {
        let (source, target) = (self.input.as_slice_mut(), self.output.as_slice_mut());
        if let Some(place) = source.range(0, given) {
            self.zlib.write_slice(place, input.get(..given).unwrap_or_default())?;
        }
        let stream = self.stream.as_mut();
        self.zlib.write(stream.field(z_stream_s::NEXT_IN), source.as_ptr())?;
        self.zlib.write(stream.field(z_stream_s::AVAIL_IN), given as u32)?;
        self.zlib.write(stream.field(z_stream_s::NEXT_OUT), target.as_ptr())?;
        self.zlib.write(stream.field(z_stream_s::AVAIL_OUT), room as u32)?;
        Ok(())
    }

    /// Calls zlib. Returns true if the stream has ended.
    fn call(&mut self, flush: i32) -> Result<bool> {
        let status = match self.direction {
            Direction::Deflate { .. } => self.zlib.deflate(&self.stream, flush)?,
            Direction::Inflate { .. } => self.zlib.inflate(&self.stream, flush)?,
        };
        match status {
            // No progress was possible: zlib needs more input or more room.
            zlib::Z_OK | zlib::Z_BUF_ERROR => Ok(false),
            zlib::Z_STREAM_END => Ok(true),
            zlib::Z_DATA_ERROR => Err(Error::Data(self.message()?)),
            other => Err(Error::Status(other)),
        }
    }

    /// Returns zlib's message for its last error.
    fn message(&self) -> Result<String> {
        let message: Ptr<_> = self.zlib.read(&self.stream)?.msg;
        if message.is_null() {
            return Ok("zlib does not say how".to_owned());
        }
        let text = self.zlib.read_cstr(message, MESSAGE)?;
        Ok(Text::from_untrusted(text.to_bytes()).to_string())
    }
}

fn init(zlib: &mut Api, stream: &ForeignBox<z_stream>, direction: Direction) -> Result<()> {
    let status = zlib.scope(|zlib| {
        let version = zlib.c_str(zlib::ZLIB_VERSION)?;
        let size = size_of::<z_stream>() as i32;
        match direction {
            Direction::Deflate { level, window_bits } => {
                let (method, strategy) = (zlib::Z_DEFLATED, zlib::Z_DEFAULT_STRATEGY);
                const MEMORY_LEVEL: i32 = 8;
                zlib.deflateInit2_(
                    stream,
                    level,
                    method,
                    window_bits,
                    MEMORY_LEVEL,
                    strategy,
                    version,
                    size,
                )
            }
            Direction::Inflate { window_bits } => {
                zlib.inflateInit2_(stream, window_bits, version, size)
            }
        }
    })?;
    if status == zlib::Z_OK { Ok(()) } else { Err(Error::Status(status)) }
}

impl Drop for Session<'_> {
    /// Frees zlib's memory. An error does not matter: if the instance is lost, so is its memory.
    fn drop(&mut self) {
        let _ = match self.direction {
            Direction::Deflate { .. } => self.zlib.deflateEnd(&self.stream),
            Direction::Inflate { .. } => self.zlib.inflateEnd(&self.stream),
        };
    }
}

impl fmt::Debug for Session<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Session").field("direction", &self.direction).finish_non_exhaustive()
    }
}
