//! What generated wrappers around plain C calls share: lengths and statuses.

use core::ffi::c_char;

use crate::address::Ptr;
use crate::base::Api;
use crate::error::{Error, Result};
use crate::text::Text;

/// A Rust length as the C integer of a length parameter.
///
/// # Errors
/// [`Error::TooLarge`] if the integer cannot hold it.
///
/// ```
/// assert_eq!(omniglot_core::length_in::<u8>(255), Ok(255));
/// assert!(omniglot_core::length_in::<u8>(256).is_err());
/// ```
pub fn length_in<T: TryFrom<usize>>(len: usize) -> Result<T> {
    T::try_from(len).map_err(|_| Error::TooLarge { elements: len })
}

/// How many elements foreign code claims to have written, into a buffer of `max`.
///
/// # Errors
/// [`Error::LengthMismatch`] if it claims more.
///
/// ```
/// assert_eq!(omniglot_core::length_out(3_u64, 4), Ok(3));
/// assert!(omniglot_core::length_out(-1, 4).is_err());
/// ```
pub fn length_out<T: TryInto<usize>>(len: T, max: usize) -> Result<usize> {
    let actual = len.try_into().unwrap_or(usize::MAX);
    if actual <= max { Ok(actual) } else { Err(Error::LengthMismatch { expected: max, actual }) }
}

/// Checks that slices that share one length parameter have it.
///
/// # Errors
/// [`Error::LengthMismatch`].
pub const fn same_length(expected: usize, actual: usize) -> Result<()> {
    if expected == actual { Ok(()) } else { Err(Error::LengthMismatch { expected, actual }) }
}

/// The error for a status that means failure, with the library's own message if it has one. Foreign
/// text: control characters are escaped, and long text is truncated.
#[must_use]
pub fn failed_status<A: Api + ?Sized>(
    api: &A,
    function: &'static str,
    code: i64,
    message: Ptr<c_char>,
) -> Error {
    let text = api.base().read_cstr(message, Text::CAPACITY);
    let message = text.map(|text| Text::from_untrusted(text.to_bytes())).unwrap_or_default();
    Error::Status { function, code, message }
}
