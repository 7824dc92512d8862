//! libsodium's hash, BLAKE2b.

use std::ffi::{CStr, c_char, c_int};

use anyhow::{Result, ensure};

/// Size of a hash in bytes.
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
    fn sodium_init() -> c_int;
    fn sodium_version_string() -> *const c_char;
}

/// Returns the library's version.
pub(crate) fn version() -> String {
    // SAFETY: takes no arguments.
    let text = unsafe { sodium_version_string() };
    // SAFETY: this is a string constant of the library.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// Has the library choose the code for this processor, as all its users must at first.
pub(crate) fn init() -> Result<()> {
    // SAFETY: takes no arguments, and may be called several times.
    let status = unsafe { sodium_init() };
    ensure!(status != -1, "libsodium cannot be initialised");
    Ok(())
}

/// Returns the hash of a message.
pub(crate) fn hash(message: &[u8]) -> Result<[u8; HASH]> {
    let mut hash = [0; HASH];
    let (room, from) = (hash.as_mut_ptr(), message.as_ptr());
    // SAFETY: both buffers have the lengths that are passed; without a key, it is null with length
    // 0.
    let status =
        unsafe { crypto_generichash(room, HASH, from, message.len() as u64, std::ptr::null(), 0) };
    ensure!(status == 0, "libsodium refused to hash");
    Ok(hash)
}
