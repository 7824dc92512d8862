//! Damaged copies of a valid PNG file.

use std::ops::Range;

/// Length of the signature; the first chunk follows it.
const SIGNATURE: usize = 8;

/// Length of a chunk's header: length and type. A checksum of four bytes follows the data.
const CHUNK_HEADER: usize = 8;

/// Returns a copy whose first image data do not match their checksum.
#[must_use]
pub fn with_wrong_checksum(file: &[u8]) -> Option<Vec<u8>> {
    flipped(file, first_data(file)?.end)
}

/// Returns a copy with a changed byte within the first image data.
#[must_use]
pub fn with_changed_data(file: &[u8]) -> Option<Vec<u8>> {
    let data = first_data(file)?;
    flipped(file, data.start + data.len() / 2)
}

/// Returns a copy that ends within the first image data.
#[must_use]
pub fn cut_short(file: &[u8]) -> Option<Vec<u8>> {
    let data = first_data(file)?;
    Some(file.get(..data.start + data.len() / 2)?.to_vec())
}

fn flipped(file: &[u8], position: usize) -> Option<Vec<u8>> {
    let mut copy = file.to_vec();
    *copy.get_mut(position)? ^= 0xff;
    Some(copy)
}

/// Returns the range of a file's first image data (`IDAT`).
fn first_data(file: &[u8]) -> Option<Range<usize>> {
    let mut start = SIGNATURE;
    loop {
        let header = file.get(start..start.checked_add(CHUNK_HEADER)?)?;
        let (len, kind) = header.split_first_chunk()?;
        let data = start + CHUNK_HEADER;
        let end = data.checked_add(u32::from_be_bytes(*len) as usize)?;
        if kind == b"IDAT" {
            return Some(data..end);
        }
        start = end.checked_add(4)?;
    }
}
