//! Broken copies of a good PNG file.

use std::ops::Range;

/// Where the signature ends and the first chunk starts.
const SIGNATURE: usize = 8;

/// Length and type of a chunk; its checksum is four bytes more, after the data.
const CHUNK_HEADER: usize = 8;

/// A copy whose first image data no longer match their checksum.
#[must_use]
pub fn with_wrong_checksum(file: &[u8]) -> Option<Vec<u8>> {
    flipped(file, first_data(file)?.end)
}

/// A copy with a byte changed in the midst of the first image data.
#[must_use]
pub fn with_changed_data(file: &[u8]) -> Option<Vec<u8>> {
    let data = first_data(file)?;
    flipped(file, data.start + data.len() / 2)
}

/// A copy that ends in the midst of the first image data.
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

/// Where the first image data (`IDAT`) of a file are.
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
