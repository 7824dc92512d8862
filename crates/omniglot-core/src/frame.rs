//! A call's arguments and result, as the shim's C struct lays them out.

use crate::checks;
use crate::error::{Error, Result};
use crate::foreign::Foreign;

/// Bytes at the start of every frame: `uint32_t status; int32_t error_number;`.
pub const HEADER_SIZE: usize = 8;

/// Status of a shim that was left by `longjmp`; 0 is that of one that returned.
pub(crate) const NON_LOCAL_EXIT: u32 = 1;

/// A frame in host memory: zeroed, then filled field by field, so that no host
/// byte leaks through padding.
///
/// ```
/// use omniglot_core::{Frame, HEADER_SIZE};
/// let mut frame = Frame::<16>::new();
/// frame.put(HEADER_SIZE, &7u32);
/// assert_eq!(frame.get::<u32>(HEADER_SIZE), Ok(7));
/// ```
#[derive(Clone, Debug)]
#[repr(align(16))]
pub struct Frame<const SIZE: usize> {
    bytes: [u8; SIZE],
}

impl<const SIZE: usize> Frame<SIZE> {
    /// A frame of zeros.
    #[must_use]
    #[inline]
    pub const fn new() -> Self {
        Self { bytes: [0; SIZE] }
    }

    /// Writes a field. An offset outside the frame is ignored: generated offsets
    /// are checked when they are compiled.
    #[inline]
    pub fn put<T: Foreign>(&mut self, offset: usize, value: &T) {
        crate::foreign::encode_field(value, &mut self.bytes, offset);
    }

    /// Reads and validates a field.
    ///
    /// # Errors
    /// [`Error::InvalidValue`] if the bits are no `T`.
    #[inline]
    pub fn get<T: Foreign>(&self, offset: usize) -> Result<T> {
        decode_field(&self.bytes, offset)
    }

    /// All bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All bytes, to be overwritten by a copy from foreign memory.
    #[inline]
    pub const fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl<const SIZE: usize> Default for Frame<SIZE> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const SIZE: usize> AsRef<[u8]> for Frame<SIZE> {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

impl<const SIZE: usize> AsMut<[u8]> for Frame<SIZE> {
    fn as_mut(&mut self) -> &mut [u8] {
        self.bytes_mut()
    }
}

/// Reads and validates the `T` at `offset` of bytes that the host alone holds (invariants 4, 5);
/// for generated code.
///
/// # Errors
/// [`Error::InvalidValue`] if the bits are no `T`; [`Error::OutOfRange`] if there are too few.
#[inline]
pub fn decode_field<T: Foreign>(bytes: &[u8], offset: usize) -> Result<T> {
    let end = offset.saturating_add(size_of::<T>());
    let Some(field) = bytes.get(offset..end) else {
        return Err(Error::OutOfRange { address: offset, len: size_of::<T>() });
    };
    checks::read_valid(field).ok_or_else(|| T::explain(field).into())
}
