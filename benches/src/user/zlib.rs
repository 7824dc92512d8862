//! zlib.

use omniglot::{Error, Result, Runtime};

omniglot::include_library!("zlib");

const REFUSED: Error = Error::Misuse("zlib refused");

/// Compresses text, decompresses the result, and compares. Returns the length of the compressed
/// text.
pub(crate) fn round_trip<R: Runtime>(zlib: &mut Zlib<R>, text: &str, level: i32) -> Result<usize> {
    let room = text.len() * 2;
    zlib.scope(|zlib| {
        let source = zlib.copy_in(text.as_bytes())?;
        let (packed, packed_len) = (zlib.reserve::<u8>(room)?, zlib.value(room as u64)?);
        let done = zlib.compress2(packed, packed_len, source, text.len() as u64, level)?;
        let len = zlib.read(packed_len)?;
        let packed = packed.range(0, len as usize).filter(|_| done == 0).ok_or(REFUSED)?;
        let (unpacked, unpacked_len) = (zlib.reserve::<u8>(room)?, zlib.value(room as u64)?);
        let undone = zlib.uncompress(unpacked, unpacked_len, packed, len)?;
        let unpacked = unpacked.range(0, zlib.read(unpacked_len)? as usize);
        let unpacked = unpacked.filter(|_| undone == 0).ok_or(REFUSED)?;
        let is_same = *zlib.view_str(unpacked)? == *text;
        if is_same { Ok(len as usize) } else { Err(REFUSED) }
    })
}
