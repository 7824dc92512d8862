//! Hashes and signatures, by monocypher.

use omniglot::{Result, Runtime};

use crate::foreign::monocypher::{Api, Monocypher};

/// A signature, and the public key for verifying it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed {
    pub(crate) public: [u8; 32],
    pub(crate) signature: [u8; 64],
}

/// Returns the BLAKE2b hash of a message.
pub(crate) fn hash<R: Runtime>(library: &mut Monocypher<R>, message: &[u8]) -> Result<[u8; 64]> {
    library.scope(|scope| {
        let (hash, message) = (scope.zeroed::<u8>(64)?, scope.copy_in(message)?);
        scope.crypto_blake2b(hash, hash.len(), message, message.len())?;
        array(scope, hash)
    })
}

/// Signs a message with Ed25519. The key is derived from the seed.
pub(crate) fn sign<R: Runtime>(
    library: &mut Monocypher<R>,
    seed: &[u8; 32],
    message: &[u8],
) -> Result<Signed> {
    library.scope(|scope| {
        let (seed, message) = (scope.copy_in(seed)?, scope.copy_in(message)?);
        let (secret, public) = (scope.zeroed::<u8>(64)?, scope.zeroed::<u8>(32)?);
        let signature = scope.zeroed::<u8>(64)?;
        scope.crypto_ed25519_key_pair(secret, public, seed)?;
        scope.crypto_ed25519_sign(signature, secret, message, message.len())?;
        Ok(Signed { public: array(scope, public)?, signature: array(scope, signature)? })
    })
}

/// Returns true if this is a valid signature of the message.
pub(crate) fn is_signature<R: Runtime>(
    library: &mut Monocypher<R>,
    signed: &Signed,
    message: &[u8],
) -> Result<bool> {
    library.scope(|scope| {
        let (signature, public) =
            (scope.copy_in(&signed.signature)?, scope.copy_in(&signed.public)?);
        let message = scope.copy_in(message)?;
        Ok(scope.crypto_ed25519_check(signature, public, message, message.len())? == 0)
    })
}

/// Copies an array out of the library's memory.
fn array<R: Runtime, const N: usize>(
    api: &Api<R>,
    from: omniglot::SliceMut<u8>,
) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    api.read_into(from, &mut bytes)?;
    Ok(bytes)
}
