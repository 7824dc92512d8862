//! Text in C's arrays of characters, such as `char name[16]`.

use core::ffi::CStr;

use zerocopy::IntoBytes;

use crate::error::{Error, Result};

/// A C array of characters that was copied out, as text: what precedes the first NUL, or all of it,
/// since many libraries omit the NUL if the text just fits.
///
/// Implemented for slices of `u8` and `i8`, so for C's `char` whatever its sign.
///
/// ```
/// use omniglot_core::Characters;
/// // C: struct item { char name[8]; };
/// let name: [i8; 8] = omniglot_core::characters("bolt")?;
/// assert_eq!(name.text(), Ok("bolt"));
/// assert_eq!(name.text_bytes(), b"bolt");
/// # Ok::<(), omniglot_core::Error>(())
/// ```
pub trait Characters {
    /// The bytes before the first NUL, or all of them.
    fn text_bytes(&self) -> &[u8];

    /// The text before the first NUL, or all of it.
    ///
    /// # Errors
    /// [`Error::InvalidUtf8`], with the address 0.
    fn text(&self) -> Result<&str> {
        core::str::from_utf8(self.text_bytes())
            .map_err(|error| Error::InvalidUtf8 { address: 0, valid_up_to: error.valid_up_to() })
    }
}

impl Characters for [u8] {
    fn text_bytes(&self) -> &[u8] {
        CStr::from_bytes_until_nul(self).map_or(self, CStr::to_bytes)
    }
}

impl Characters for [i8] {
    fn text_bytes(&self) -> &[u8] {
        self.as_bytes().text_bytes()
    }
}

/// Text as a C array of characters, padded with NULs; at least one NUL follows it.
///
/// ```
/// let name: [i8; 8] = omniglot_core::characters("bolt")?;
/// assert!(omniglot_core::characters::<i8, 4>("bolt").is_err()); // no room for the NUL
/// # let _ = name;
/// # Ok::<(), omniglot_core::Error>(())
/// ```
///
/// # Errors
/// [`Error::InteriorNul`] if it has a NUL; [`Error::Misuse`] if it is too long.
pub fn characters<C: Character, const N: usize>(text: &str) -> Result<[C; N]> {
    crate::strings::check_no_nul(text)?;
    if text.len() >= N {
        return Err(Error::Misuse("the text, with its NUL, is longer than the array"));
    }
    let mut array = [C::from_byte(0); N];
    for (place, byte) in array.iter_mut().zip(text.bytes()) {
        *place = C::from_byte(byte);
    }
    Ok(array)
}

/// The types that C's `char` can be: `i8` or `u8`.
pub trait Character: Copy {
    /// The character with these bits.
    fn from_byte(byte: u8) -> Self;
}

impl Character for u8 {
    fn from_byte(byte: u8) -> Self {
        byte
    }
}

impl Character for i8 {
    fn from_byte(byte: u8) -> Self {
        byte.cast_signed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_without_a_nul_is_text_as_a_whole() {
        assert_eq!([b'a', b'b'].text(), Ok("ab"));
        assert_eq!([0_u8; 4].text(), Ok(""));
        assert_eq!([] as [i8; 0], <[i8; 0]>::default());
        assert_eq!(([] as [i8; 0]).text_bytes(), b"");
    }

    #[test]
    fn what_is_behind_the_nul_is_no_text() {
        assert_eq!([b'a', 0, 0xff, b'b'].text(), Ok("a"));
        let invalid = Error::InvalidUtf8 { address: 0, valid_up_to: 1 };
        assert_eq!([b'a', 0xff].text(), Err(invalid));
    }

    #[test]
    fn text_keeps_its_bytes_and_its_nul() {
        assert_eq!(characters::<i8, 4>("\u{e9}"), Ok([-61, -87, 0, 0]));
        assert_eq!(characters::<u8, 3>("a\0"), Err(Error::InteriorNul { position: 1 }));
        assert!(matches!(characters::<u8, 2>("ab"), Err(Error::Misuse(_))));
        assert!(matches!(characters::<u8, 0>(""), Err(Error::Misuse(_))));
    }
}
