//! Many calls of one function in one crossing.

use alloc::vec::Vec;

use crate::base::Api;
use crate::call::call;
use crate::error::{Error, Result};
use crate::foreign::Foreign;
use crate::frame::{Frame, HEADER_SIZE, decode_field};

/// Where a batch's frames begin, behind `struct omniglot_batch` of the image:
/// `uint32_t status; int32_t error_number; uint32_t shim, stride, count;` and padding.
const FIRST: usize = 32;
const SHIM: usize = HEADER_SIZE;
const STRIDE: usize = HEADER_SIZE + 4;
const COUNT: usize = HEADER_SIZE + 8;
/// What frames are aligned to.
const ALIGN: usize = 16;

/// The frames of calls of one shim, which foreign code makes one after another without leaving.
///
/// Generated functions use it. All frames must fit in the domain's memory for arguments at once, a
/// quarter of the memory limit; otherwise the call is [`Error::OutOfMemory`].
///
/// ```
/// # omniglot_mock::example(omniglot_mock::returns(40, 7_u32), |library| {
/// use omniglot_core::{Batch, Frame, HEADER_SIZE};
///
/// # let library = &mut **library;
/// # const DOUBLE: u32 = 2; const BATCH: u32 = 3;
/// // C: uint32_t twice(uint32_t number);
/// let mut batch = Batch::<16>::new(DOUBLE);
/// let mut frame = Frame::new();
/// frame.put(HEADER_SIZE, &3_u32);
/// batch.push(&frame);
/// batch.call(library, BATCH)?;
/// assert_eq!(batch.results::<u32>(HEADER_SIZE)?, [7]);
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct Batch<const SIZE: usize> {
    shim: u32,
    count: usize,
    /// As foreign code sees it.
    bytes: Vec<u8>,
}

impl<const SIZE: usize> Batch<SIZE> {
    /// The distance between two frames.
    const DISTANCE: usize = SIZE.next_multiple_of(ALIGN);

    /// No calls yet of that shim.
    #[must_use]
    pub fn new(shim: u32) -> Self {
        Self { shim, count: 0, bytes: alloc::vec![0; FIRST] }
    }

    /// Adds a call.
    pub fn push(&mut self, frame: &Frame<SIZE>) {
        self.bytes.extend_from_slice(frame.bytes());
        self.count += 1;
        self.bytes.resize(FIRST + self.count * Self::DISTANCE, 0);
    }

    /// Makes the calls, in the order in which they were added, through the image's shim for
    /// batches.
    ///
    /// # Errors
    /// As [`call()`](crate::call()). Of the calls, those before the one that failed were made.
    pub fn call<A: Api + ?Sized>(&mut self, api: &mut A, batch: u32) -> Result<()> {
        let number = |count: usize| {
            u32::try_from(count).map_err(|_| Error::OutOfMemory { requested: self.bytes.len() })
        };
        let header =
            [(SHIM, self.shim), (STRIDE, number(Self::DISTANCE)?), (COUNT, number(self.count)?)];
        for (offset, value) in header {
            crate::foreign::encode_field(&value, &mut self.bytes, offset);
        }
        call(api, batch, &mut self.bytes)
    }

    /// The values that the calls left at that offset of their frames, in the same order.
    ///
    /// # Errors
    /// [`Error::InvalidValue`] if one of them is no `T`.
    pub fn results<T: Foreign>(&self, offset: usize) -> Result<Vec<T>> {
        let frames = self.bytes.get(FIRST..).unwrap_or_default().chunks_exact(Self::DISTANCE);
        frames.map(|frame| decode_field(frame, offset)).collect()
    }
}
