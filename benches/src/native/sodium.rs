//! libsodium's hash, BLAKE2b.

use std::ffi::{CStr, c_char, c_int};

use anyhow::{Result, ensure};

/// A hash's size in bytes.
const HASH: usize = 32;

unsafe extern "C" {
    fn crypto_generichash(
        out: *mut u8,
        out_len: usize,
        message: *const u8,
        message_len: u64,
        key: *const u8,
        key_len: usize,
    ) -> c_int;
    fn sodium_version_string() -> *const c_char;
}

/// The library's version.
pub(crate) fn version() -> String {
    // SAFETY: takes nothing.
    let text = unsafe { sodium_version_string() };
    // SAFETY: a string constant of the library's.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// The hash of a message.
pub(crate) fn hash(message: &[u8]) -> Result<[u8; HASH]> {
    let mut hash = [0; HASH];
    let (room, from) = (hash.as_mut_ptr(), message.as_ptr());
    // SAFETY: both are as long as is said; no key is a null pointer of length 0.
    let status =
        unsafe { crypto_generichash(room, HASH, from, message.len() as u64, std::ptr::null(), 0) };
    ensure!(status == 0, "libsodium refused to hash");
    Ok(hash)
}
