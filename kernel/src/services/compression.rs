//! Decompression of zlib's and gzip's formats (RFC 1950, RFC 1952), by zlib.

use omniglot::{FnPtr, Ptr, RefMut, Scope, SliceMut};
use omniglot_kernel_hardware::Hart;
use omniglot_pmp::ForeignRegion;

use crate::domain::{Failure, ForeignLibrary, Runtime};
use crate::foreign::zlib::{Api, Z_NO_FLUSH, Z_OK, Z_STREAM_END, Zlib, z_stream, z_stream_s};

/// Size of the input and output buffers, in bytes.
const CHUNK: usize = 16 << 10;
/// The largest window, with automatic detection of the format (zlib.h, inflateInit2).
const ANY_FORMAT: i32 = 15 + 32;

/// The decompression service.
#[derive(Debug)]
pub struct Compression {
    /// zlib in its domain.
    pub domain: ForeignLibrary<Zlib<Runtime>>,
}

impl Compression {
    /// Starts the library in its region.
    #[must_use]
    pub fn new(hart: Hart, region: ForeignRegion) -> Self {
        Self { domain: ForeignLibrary::start(hart, region) }
    }

    /// Decompresses `packed`, passes the output to the closure in order, and returns its length.
    ///
    /// # Errors
    /// If `packed` is damaged or truncated ([`Failure::Refused`] with zlib's error, or 0), or the
    /// call fails.
    pub fn inflate(
        &mut self,
        packed: &[u8],
        mut take: impl FnMut(&[u8]),
    ) -> Result<usize, Failure> {
        self.domain.run(|library| {
            library.scope(|scope| {
                let mut stream = Stream::new(scope)?;
                Ok(stream.run(scope, packed, &mut take))
            })?
        })
    }

    /// Makes the library read from a forbidden address, as a bug would.
    ///
    /// # Errors
    /// Always: the fault.
    pub fn crash(&mut self, address: usize) -> Result<(), Failure> {
        self.domain.run(|library| {
            library.crc32(0, Ptr::from_addr(address), 4)?;
            Ok(())
        })
    }
}

/// A stream, in the library's memory, with its buffers.
struct Stream {
    state: RefMut<z_stream>,
    input: SliceMut<u8>,
    output: SliceMut<u8>,
}

type InScope<'a, 's, 'e> = &'a mut Scope<'s, 'e, Api<Runtime>>;

impl Stream {
    fn new(scope: InScope<'_, '_, '_>) -> omniglot::Result<Self> {
        let state = scope.value(EMPTY)?;
        let (input, output) = (scope.reserve(CHUNK)?, scope.reserve(CHUNK)?);
        Ok(Self { state, input, output })
    }

    /// Decompresses a whole stream.
    fn run(
        &mut self,
        api: &mut Api<Runtime>,
        packed: &[u8],
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<usize, Failure> {
        let version = api.zlibVersion()?;
        let size = size_of::<z_stream>() as i32;
        expect(Z_OK, api.inflateInit2_(self.state, ANY_FORMAT, version, size)?)?;
        let outcome = self.chunks(api, packed, take);
        // The stream's state is on the library's heap, so it is freed whatever the result.
        let ended = api.inflateEnd(self.state);
        let total = outcome?;
        expect(Z_OK, ended?)?;
        Ok(total)
    }

    fn chunks(
        &mut self,
        api: &mut Api<Runtime>,
        packed: &[u8],
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<usize, Failure> {
        let mut total = 0;
        for chunk in packed.chunks(CHUNK) {
            let input = self.input.range(0, chunk.len()).ok_or(Failure::TooLarge)?;
            api.write_slice(input, chunk)?;
            let mut state = api.read(self.state)?;
            (state.next_in, state.avail_in) = (input.as_ptr(), chunk.len() as u32);
            api.write(self.state, state)?;
            if self.drain(api, &mut total, take)? {
                return Ok(total);
            }
        }
        Err(Failure::Refused(0))
    }

    /// Passes on all output that the current input gives. Returns true at the end of the stream.
    fn drain(
        &mut self,
        api: &mut Api<Runtime>,
        total: &mut usize,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, Failure> {
        loop {
            let mut state = api.read(self.state)?;
            (state.next_out, state.avail_out) = (self.output.as_ptr(), CHUNK as u32);
            api.write(self.state, state)?;
            let status = api.inflate(self.state, Z_NO_FLUSH)?;
            let left = api.read(self.state)?;
            let count = CHUNK.saturating_sub(left.avail_out as usize);
            let part = self.output.range(0, count).ok_or(Failure::TooLarge)?;
            take(&api.view_slice(part)?);
            *total += count;
            if status == Z_STREAM_END {
                return Ok(true);
            }
            if left.avail_in == 0 && left.avail_out > 0 {
                return Ok(false);
            }
            expect(Z_OK, status)?;
        }
    }
}

fn expect(wanted: i32, status: i32) -> Result<(), Failure> {
    if status == wanted { Ok(()) } else { Err(Failure::Refused(status)) }
}

/// A new stream. zlib uses its own allocator if the fields for one are null (zlib.h, inflateInit).
const EMPTY: z_stream = z_stream_s {
    next_in: Ptr::null(),
    avail_in: 0,
    total_in: 0,
    next_out: Ptr::null(),
    avail_out: 0,
    total_out: 0,
    msg: Ptr::null(),
    state: Ptr::null(),
    zalloc: FnPtr::null(),
    zfree: FnPtr::null(),
    opaque: Ptr::null(),
    data_type: 0,
    adler: 0,
    reserved: 0,
};
