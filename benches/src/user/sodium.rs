//! libsodium's hash, BLAKE2b.

use omniglot::{Error, Ptr, Result, Runtime};

omniglot::include_library!("sodium");

/// Size of a hash in bytes.
pub(crate) const HASH: usize = 32;

/// Has the library choose the code for this processor, as all its users must at first.
pub(crate) fn init<R: Runtime>(sodium: &mut Sodium<R>) -> Result<()> {
    match sodium.sodium_init()? {
        -1 => Err(Error::Misuse("libsodium cannot be initialised")),
        _ => Ok(()),
    }
}

/// Returns the hash of a message, which is copied into the library's memory.
pub(crate) fn hash<R: Runtime>(sodium: &mut Sodium<R>, message: &[u8]) -> Result<[u8; HASH]> {
    sodium.scope(|sodium| {
        let source = sodium.copy_in(message)?;
        let hash = sodium.reserve::<u8>(HASH)?;
        let (len, no_key) = (message.len() as u64, Ptr::<u8>::null());
        let status = sodium.crypto_generichash(hash, HASH, source, len, no_key, 0)?;
        if status != 0 {
            return Err(Error::Misuse("libsodium refused to hash"));
        }
        let mut copy = [0; HASH];
        sodium.read_into(hash, &mut copy)?;
        Ok(copy)
    })
}
