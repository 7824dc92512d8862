//! Whether bits are valid: the checks that every build has, but one made to measure them.
//!
//! `RUSTFLAGS="--cfg omniglot_unchecked"` compiles out whatever is checked of addresses and values
//! from foreign code: window, alignment, instance, valid bits, UTF-8. What is left is isolation
//! alone, and **unsound**: foreign code can then break every promise of this crate. The benchmarks
//! make such a build, and measure against it what the checks cost. It is a cfg and not a feature,
//! so that no dependency can switch it on: it takes a compiler flag for the whole build. Whoever
//! sets it promises what the caller of an unsafe function would: foreign code gives no address that
//! is outside its memory or misaligned, and no invalid value.
#![allow(unsafe_code)]

use core::ffi::CStr;
use core::str::Utf8Error;

use zerocopy::{Immutable, KnownLayout, TryFromBytes};

use crate::Foreign;

/// Whether this build checks what foreign code gives it: true but in builds for measurements.
pub const CHECKED: bool = !cfg!(omniglot_unchecked);

/// What bytes of foreign memory may become: a value, or elements.
pub(crate) trait Shape: TryFromBytes + KnownLayout + Immutable {
    /// The bytes as this type, unchecked.
    ///
    /// # Safety
    /// They are as many as a value or whole elements have, aligned, and valid.
    #[cfg(omniglot_unchecked)]
    unsafe fn assume(bytes: &[u8]) -> &Self;
}

impl<T: Foreign> Shape for T {
    #[cfg(omniglot_unchecked)]
    unsafe fn assume(bytes: &[u8]) -> &Self {
        // SAFETY: aligned, valid and as many as a value has: the caller promises (invariant 10).
        unsafe { &*bytes.as_ptr().cast() }
    }
}

impl<T: Foreign> Shape for [T] {
    #[cfg(omniglot_unchecked)]
    unsafe fn assume(bytes: &[u8]) -> &Self {
        let len = bytes.len().checked_div(size_of::<T>()).unwrap_or(0);
        // SAFETY: aligned, valid and as many as a value has: the caller promises (invariant 10).
        unsafe { core::slice::from_raw_parts(bytes.as_ptr().cast(), len) }
    }
}

/// The bytes as a `T`, if they are one (invariant 5).
#[cfg(not(omniglot_unchecked))]
#[inline(always)]
pub(crate) fn valid<T: ?Sized + Shape>(bytes: &[u8]) -> Option<&T> {
    T::try_ref_from_bytes(bytes).ok()
}

/// The bytes as a `T`.
#[cfg(omniglot_unchecked)]
#[inline(always)]
pub(crate) fn valid<T: ?Sized + Shape>(bytes: &[u8]) -> Option<&T> {
    // SAFETY: valid and aligned, as whoever set the cfg promises (invariant 10). As many bytes
    // as a `T` has come from all callers, which themselves have located them.
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
    core::str::from_utf8(bytes)
}

/// Bytes as text.
#[cfg(omniglot_unchecked)]
#[inline]
pub(crate) fn as_text(bytes: &[u8]) -> Result<&str, Utf8Error> {
    // SAFETY: it is UTF-8, as whoever set the cfg promises (invariant 10).
    Ok(unsafe { core::str::from_utf8_unchecked(bytes) })
}
