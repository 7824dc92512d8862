//! Brotli's encoder and decoder.

use std::ffi::c_int;

use anyhow::{Result, ensure};

/// log2 of the window's size.
const WINDOW: c_int = 22;
/// `BROTLI_MODE_GENERIC`.
const GENERIC: c_int = 0;
/// `BROTLI_TRUE`.
const TRUE: c_int = 1;
/// `BROTLI_DECODER_RESULT_SUCCESS`.
const SUCCESS: c_int = 1;

unsafe extern "C" {
    fn BrotliEncoderCompress(
        quality: c_int,
        window: c_int,
        mode: c_int,
        len: usize,
        input: *const u8,
        encoded_len: *mut usize,
        encoded: *mut u8,
    ) -> c_int;
    fn BrotliDecoderDecompress(
        len: usize,
        input: *const u8,
        decoded_len: *mut usize,
        decoded: *mut u8,
    ) -> c_int;
    fn BrotliDecoderVersion() -> u32;
}

/// Returns the library's version.
pub(crate) fn version() -> String {
    // SAFETY: takes no arguments.
    let version = unsafe { BrotliDecoderVersion() };
    format!("{}.{}.{}", version >> 24, version >> 12 & 0xfff, version & 0xfff)
}

/// Compresses bytes into `room`, and returns the length of the output.
pub(crate) fn compress(bytes: &[u8], quality: i32, room: &mut [u8]) -> Result<usize> {
    let mut len = room.len();
    let (from, into) = (bytes.as_ptr(), room.as_mut_ptr());
    // SAFETY: both buffers have the lengths that are passed.
    let done = unsafe {
        BrotliEncoderCompress(quality, WINDOW, GENERIC, bytes.len(), from, &raw mut len, into)
    };
    ensure!(done == TRUE && len <= room.len(), "brotli refused to compress");
    Ok(len)
}

/// Decompresses bytes into `room`, and returns the length of the output.
pub(crate) fn decompress(packed: &[u8], room: &mut [u8]) -> Result<usize> {
    let mut len = room.len();
    let (from, into) = (packed.as_ptr(), room.as_mut_ptr());
    // SAFETY: both buffers have the lengths that are passed.
    let done = unsafe { BrotliDecoderDecompress(packed.len(), from, &raw mut len, into) };
    ensure!(done == SUCCESS && len <= room.len(), "brotli refused to decompress");
    Ok(len)
}

/// Compresses text, decompresses the result, and compares: the paper's iteration. Each of `rooms`
/// has twice the text's size.
pub(crate) fn round_trip(text: &str, quality: i32, rooms: &mut [Vec<u8>; 2]) -> Result<()> {
    let [packed, unpacked] = rooms;
    let len = compress(text.as_bytes(), quality, packed)?;
    let len = decompress(packed.get(..len).unwrap_or(&[]), unpacked)?;
    let unpacked = std::str::from_utf8(unpacked.get(..len).unwrap_or(&[]))?;
    ensure!(unpacked == text, "another text came back");
    Ok(())
}
