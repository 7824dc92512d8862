//! Whether bits are valid: the checks of every build except those that measure what checks cost.
//!
//! `RUSTFLAGS="--cfg omniglot_unchecked"` compiles out all checks of addresses and values from
//! foreign code: window, alignment, instance, valid bits, UTF-8. What remains is isolation only,
//! and **unsound**: foreign code can then break every promise of this crate. The benchmarks make
//! such a build, and compare with it to measure what the checks cost. It is a cfg and not a
//! feature, so that no dependency can switch it on: it takes a compiler flag for the whole build.
//! Whoever sets it makes the promises of a caller of an unsafe function: foreign code gives no
//! address that is outside its memory or misaligned, and no invalid value, and the host uses no
//! reference with another instance, nor after a reset.
#![allow(unsafe_code)]

use core::any::TypeId;
use core::ffi::CStr;
use core::str::Utf8Error;

use zerocopy::TryFromBytes;

use crate::foreign::Foreign;

/// Whether this build checks what foreign code gives it: true except in builds for measurements.
pub const CHECKED: bool = !cfg!(omniglot_unchecked);

/// A Rust type that bytes of foreign memory may become: a value, or elements.
pub(crate) trait Shape {
    /// The bytes as this type, if their number, alignment and bits are right (invariant 5).
    fn check(bytes: &[u8]) -> Option<&Self>;

    /// The bytes as this type, unchecked.
    ///
    /// # Safety
    /// They are as many as a value or whole elements have, aligned, and valid.
    unsafe fn assume(bytes: &[u8]) -> &Self;
}

impl<T: Foreign> Shape for T {
    #[inline(always)]
    fn check(bytes: &[u8]) -> Option<&Self> {
        T::try_ref_from_bytes(bytes).ok()
    }

    #[inline(always)]
    unsafe fn assume(bytes: &[u8]) -> &Self {
        // SAFETY: a value's bytes, aligned and valid, as the caller promises (invariant 5).
        unsafe { &*bytes.as_ptr().cast() }
    }
}

impl<T: Foreign> Shape for [T] {
    #[inline(always)]
    fn check(bytes: &[u8]) -> Option<&Self> {
        if !matches!(size_of::<T>(), 1..=SMALL) {
            return Self::try_ref_from_bytes(bytes).ok();
        }
        let is_whole = bytes.len().is_multiple_of(size_of::<T>());
        let is_aligned = bytes.as_ptr().addr().is_multiple_of(align_of::<T>());
        if !is_whole || !is_aligned {
            return None;
        }
        if !is_number::<T>() && !bytes.chunks(BLOCK * size_of::<T>()).all(all_valid::<T>) {
            return None;
        }
        // SAFETY: whole elements, aligned, each of which was found valid, or is a number, of which
        // all bits are (invariant 5).
        Some(unsafe { Self::assume(bytes) })
    }

    #[inline(always)]
    unsafe fn assume(bytes: &[u8]) -> &Self {
        let len = bytes.len().checked_div(size_of::<T>()).unwrap_or(0);
        // SAFETY: whole elements, aligned and valid, as the caller promises (invariant 5).
        unsafe { core::slice::from_raw_parts(bytes.as_ptr().cast(), len) }
    }
}

/// Returns true if `T` is a primitive number: any bits are a value of it.
///
/// With optimisation nothing is left of the check of such elements anyway. Without, it takes tens of
/// nanoseconds for each, which for large buffers is many times what the library does with them.
#[inline(always)]
fn is_number<T: 'static>() -> bool {
    let this = TypeId::of::<T>();
    macro_rules! is_one_of {
        ($($number:ty)*) => { false $(|| this == TypeId::of::<$number>())* };
    }
    is_one_of!(u8 i8 u16 i16 u32 i32 u64 i64 u128 i128 usize isize f32 f64)
}

/// The largest elements, in bytes, that are checked in batches.
const SMALL: usize = 64;

/// How many elements are checked before an invalid one among them ends the check.
const BLOCK: usize = 1024;

/// Whether all elements are valid. There is no branch for each, so that compilers can check as many
/// at a time as the machine can.
#[inline(always)]
fn all_valid<T: Foreign>(bytes: &[u8]) -> bool {
    let mut elements = bytes.chunks_exact(size_of::<T>());
    elements.by_ref().fold(true, |valid, element| valid & T::try_read_from_bytes(element).is_ok())
}

/// The bytes as a `T`, if they are one (invariant 5).
#[inline(always)]
pub(crate) fn valid<T: ?Sized + Shape>(bytes: &[u8]) -> Option<&T> {
    if CHECKED {
        return T::check(bytes);
    }
    // SAFETY: valid, as whoever set the cfg promises (invariant 10). All callers have located as
    // many bytes as a `T` has, aligned.
    Some(unsafe { T::assume(bytes) })
}

/// A copy of the bytes as a `T`, if they are one (invariant 5); they need not be aligned.
#[cfg(not(omniglot_unchecked))]
#[inline(always)]
pub(crate) fn read_valid<T: Foreign>(bytes: &[u8]) -> Option<T> {
    T::try_read_from_bytes(bytes).ok()
}

/// A copy of the bytes as a `T`, if they are as many.
#[cfg(omniglot_unchecked)]
#[inline(always)]
pub(crate) fn read_valid<T: Foreign>(bytes: &[u8]) -> Option<T> {
    let is_whole = bytes.len() == size_of::<T>();
    // SAFETY: as many bytes as a `T` has; they are valid, as whoever set the cfg promises
    // (invariant 10).
    is_whole.then(|| unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

/// A C string as text, if it is UTF-8.
pub(crate) fn c_str_as_text(text: &CStr) -> Result<&str, Utf8Error> {
    as_text(text.to_bytes())
}

/// Bytes as text, if they are UTF-8.
#[cfg(not(omniglot_unchecked))]
#[inline]
pub(crate) fn as_text(bytes: &[u8]) -> Result<&str, Utf8Error> {
    // It checks many bytes at a time; if one is wrong, the other one says which.
    #[cfg(feature = "std")]
    if let Ok(text) = simdutf8::basic::from_utf8(bytes) {
        return Ok(text);
    }
    core::str::from_utf8(bytes)
}

/// Bytes as text.
#[cfg(omniglot_unchecked)]
#[inline]
pub(crate) fn as_text(bytes: &[u8]) -> Result<&str, Utf8Error> {
    // SAFETY: it is UTF-8, as whoever set the cfg promises (invariant 10).
    Ok(unsafe { core::str::from_utf8_unchecked(bytes) })
}

#[cfg(all(test, not(omniglot_unchecked)))]
mod tests {
    extern crate std;

    use std::vec;

    use super::{BLOCK, as_text, is_number, valid};

    #[test]
    fn only_of_numbers_all_bits_are_values() {
        assert!(is_number::<u8>() && is_number::<f64>() && is_number::<isize>());
        assert!(!is_number::<bool>() && !is_number::<char>() && !is_number::<[bool; 1]>());
        let bytes = [0xff_u8; 16];
        assert_eq!(valid::<[i8]>(&bytes), Some(&[-1; 16][..]));
        assert!(valid::<[u8]>(&[]).is_some_and(<[u8]>::is_empty));
        let place = bytes.as_ptr().align_offset(4);
        assert!(valid::<[u32]>(&bytes[place..place + 8]).is_some());
        assert!(valid::<[u32]>(&bytes[place..place + 7]).is_none(), "half an element");
        assert!(valid::<[u32]>(&bytes[place + 1..place + 5]).is_none(), "not aligned");
    }

    #[test]
    fn one_invalid_element_anywhere_is_found() {
        let len = 3 * BLOCK + 5;
        let mut bytes = vec![1_u8; len];
        assert_eq!(valid::<[bool]>(&bytes).map(<[bool]>::len), Some(len));
        for place in [0, 1, BLOCK - 1, BLOCK, 3 * BLOCK - 1, 3 * BLOCK, len - 1] {
            bytes[place] = 2;
            assert_eq!(valid::<[bool]>(&bytes), None, "{place}");
            bytes[place] = 0;
        }
    }

    #[test]
    fn elements_are_whole_and_aligned() {
        #[repr(align(4))]
        struct Aligned([u8; 12]);
        let bytes = Aligned([0; 12]).0;
        assert_eq!(valid::<[char]>(&bytes), Some(&['\0'; 3][..]));
        assert_eq!(valid::<[char]>(&bytes[..7]), None);
        assert_eq!(valid::<[char]>(&bytes[1..9]), None);
    }

    #[test]
    fn text_is_as_the_standard_library_says() {
        for bytes in [&b"plain"[..], "dé\0jà".as_bytes(), b"\xff", b"ab\xc3", &[0xed, 0xa0, 0x80]]
        {
            assert_eq!(as_text(bytes), core::str::from_utf8(bytes));
        }
    }
}
