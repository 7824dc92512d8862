//! zlib.

use std::ffi::{c_int, c_ulong};

use anyhow::{Result, ensure};

/// `Z_OK`.
const OK: c_int = 0;

unsafe extern "C" {
    fn compress2(
        into: *mut u8,
        into_len: *mut c_ulong,
        from: *const u8,
        len: c_ulong,
        level: c_int,
    ) -> c_int;
    fn uncompress(into: *mut u8, into_len: *mut c_ulong, from: *const u8, len: c_ulong) -> c_int;
}

/// Compresses bytes into `room`, and returns the length of the output.
pub(crate) fn compress(bytes: &[u8], level: c_int, room: &mut [u8]) -> Result<usize> {
    let mut len = room.len() as c_ulong;
    let (from, into) = (bytes.as_ptr(), room.as_mut_ptr());
    // SAFETY: both buffers have the lengths that are passed.
    let status = unsafe { compress2(into, &raw mut len, from, bytes.len() as c_ulong, level) };
    ensure!(status == OK && len as usize <= room.len(), "zlib refused to compress");
    Ok(len as usize)
}

/// Compresses text, decompresses the result, and compares. Each of `rooms` has twice the text's
/// size.
pub(crate) fn round_trip(text: &str, level: c_int, rooms: &mut [Vec<u8>; 2]) -> Result<()> {
    let [packed, unpacked] = rooms;
    let len = compress(text.as_bytes(), level, packed)?;
    let packed = packed.get(..len).unwrap_or(&[]);
    let mut len = unpacked.len() as c_ulong;
    let (from, into) = (packed.as_ptr(), unpacked.as_mut_ptr());
    // SAFETY: both buffers have the lengths that are passed.
    let status = unsafe { uncompress(into, &raw mut len, from, packed.len() as c_ulong) };
    ensure!(status == OK, "zlib refused to decompress");
    ensure!(unpacked.get(..len as usize) == Some(text.as_bytes()), "another text came back");
    Ok(())
}
