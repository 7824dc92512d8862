//! Compresses and decompresses whole slices, with the wrappers that build.rs describes.

use crate::zlib::{self, Zlib};
use crate::{Error, Result};

/// Compresses in zlib's format, at a level from 0 (fast) to 9 (small).
///
/// # Errors
/// [`Error::Status`] if there is no such level.
pub fn compress(zlib: &mut Zlib, source: &[u8], level: i32) -> Result<Vec<u8>> {
    let bound = zlib.compressBound(source.len() as u64)?;
    // The bound is attacker-controlled: a larger buffer than needed is shrunk, and a smaller one is
    // an error.
    let mut packed = Vec::new();
    let room = usize::try_from(bound).map_err(|_| Error::TooLong)?;
    packed.try_reserve_exact(room).map_err(|_| Error::TooLong)?;
    packed.resize(room, 0);
    let len = zlib.compress2(&mut packed, source, level).map_err(failure)?;
    packed.truncate(len);
    Ok(packed)
}

/// Decompresses data in zlib's format into `dest`, and returns its length.
///
/// # Errors
/// [`Error::TooLong`] if it does not fit; [`Error::Data`] if the source is damaged.
pub fn uncompress(zlib: &mut Zlib, dest: &mut [u8], source: &[u8]) -> Result<usize> {
    if dest.is_empty() {
        return nothing(zlib, source);
    }
    zlib.uncompress(dest, source).map_err(failure)
}

/// Decompresses into an empty slice. zlib would accept one byte of output as a success if it has no
/// room at all, so it gets room for one.
fn nothing(zlib: &mut Zlib, source: &[u8]) -> Result<usize> {
    match zlib.uncompress(&mut [0], source).map_err(failure)? {
        0 => Ok(0),
        _ => Err(Error::TooLong),
    }
}

/// Translates zlib's status.
fn failure(error: omniglot::Error) -> Error {
    let omniglot::Error::Status { code, .. } = error else { return error.into() };
    match i32::try_from(code) {
        Ok(zlib::Z_BUF_ERROR) => Error::TooLong,
        Ok(zlib::Z_DATA_ERROR) => {
            Error::Data("it is not in zlib's format, or was changed".to_owned())
        }
        Ok(status) => Error::Status(status),
        Err(_) => error.into(),
    }
}
