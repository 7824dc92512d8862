//! Whole slices at once: what `compress` and `uncompress` look like in Rust.

use crate::zlib::{self, Zlib};
use crate::{Error, Result};

const OK: i32 = zlib::Z_OK as i32;

/// Compresses in zlib's format, at a level from 0 (fast) to 9 (small).
///
/// # Errors
/// [`Error::Status`] for another level.
pub fn compress(zlib: &mut Zlib, source: &[u8], level: i32) -> Result<Vec<u8>> {
    let bound = zlib.compressBound(source.len() as u64)?;
    // The library's word: a wrong one is refused here, for lack of memory, or by zlib.
    let room = usize::try_from(bound).map_err(|_| Error::TooLong)?;
    let outcome = zlib.scope(|zlib| {
        let input = zlib.copy_in(source)?;
        let output = zlib.zeroed::<u8>(room)?;
        let len = zlib.value(bound)?;
        let status = zlib.compress2(output, len, input, source.len() as u64, level)?;
        if status != OK {
            return Ok(Err(Error::Status(status)));
        }
        let len = zlib.read(len)?;
        let Some(packed) = prefix(len).and_then(|len| output.range(0, len)) else {
            return Ok(Err(Error::Nonsense("it compressed to more than there was room for")));
        };
        Ok(Ok(zlib.view_slice(packed)?.to_vec()))
    });
    outcome?
}

/// Decompresses from zlib's format into `dest`, and gives the length.
///
/// # Errors
/// [`Error::TooLong`] if it does not fit; [`Error::Data`] if the source is damaged.
pub fn uncompress(zlib: &mut Zlib, dest: &mut [u8], source: &[u8]) -> Result<usize> {
    // One byte more, since zlib takes one byte in no room at all for a success.
    let room = dest.len().saturating_add(1);
    let outcome = zlib.scope(|zlib| {
        let input = zlib.copy_in(source)?;
        let output = zlib.zeroed::<u8>(room)?;
        let len = zlib.value(room as u64)?;
        let status = zlib.uncompress(output, len, input, source.len() as u64)?;
        if status != OK {
            return Ok(Err(failure(status)));
        }
        let len = zlib.read(len)?;
        let Some(unpacked) = prefix(len).and_then(|len| output.range(0, len)) else {
            return Ok(Err(Error::Nonsense("it decompressed to more than there was room for")));
        };
        let Some(dest) = dest.get_mut(..unpacked.len()) else { return Ok(Err(Error::TooLong)) };
        zlib.read_into(unpacked, dest)?;
        Ok(Ok(dest.len()))
    });
    outcome?
}

/// A length of zlib's, if there can be such.
fn prefix(len: u64) -> Option<usize> {
    usize::try_from(len).ok()
}

fn failure(status: i32) -> Error {
    match status {
        zlib::Z_BUF_ERROR => Error::TooLong,
        zlib::Z_DATA_ERROR => Error::Data("it is not in zlib's format, or was changed".to_owned()),
        other => Error::Status(other),
    }
}
