//! Cryptography: BLAKE2b, XChaCha20-Poly1305, X25519 and Ed25519, by monocypher.

use omniglot::{Ptr, SliceMut};
use omniglot_kernel_hardware::Hart;
use omniglot_pmp::ForeignRegion;

use crate::domain::{Failure, ForeignLibrary, Runtime};
use crate::foreign::monocypher::{Api, Monocypher};

/// The longest message, in bytes: it has to fit in the host's part of the window.
pub const MESSAGE: usize = 24 << 10;

/// A message authentication code.
pub type Mac = [u8; 16];
/// A key for encryption, or a secret or public key.
pub type Key = [u8; 32];
/// A nonce for encryption.
pub type Nonce = [u8; 24];
/// An Ed25519 signature.
pub type Signature = [u8; 64];

/// The cryptography service.
#[derive(Debug)]
pub struct Cryptography {
    /// monocypher in its domain.
    pub domain: ForeignLibrary<Monocypher<Runtime>>,
}

impl Cryptography {
    /// Starts the library in its region.
    #[must_use]
    pub fn new(hart: Hart, region: ForeignRegion) -> Self {
        Self { domain: ForeignLibrary::start(hart, region) }
    }

    /// Computes the BLAKE2b hash of a message. `hash` has 1 to 64 bytes.
    ///
    /// # Errors
    /// If the message is longer than [`MESSAGE`], or the call fails.
    pub fn hash(&mut self, message: &[u8], hash: &mut [u8]) -> Result<(), Failure> {
        self.with(message, hash.len(), |api, message, output| {
            api.crypto_blake2b(output, output.len(), message, message.len())?;
            Ok(api.read_into(output, hash)?)
        })
    }

    /// Encrypts a message into `sealed`, which has the same length, and authenticates it together
    /// with `context`.
    ///
    /// # Errors
    /// If the message is longer than [`MESSAGE`], or the call fails.
    pub fn seal(
        &mut self,
        (key, nonce): (&Key, &Nonce),
        context: &[u8],
        message: &[u8],
        sealed: &mut [u8],
    ) -> Result<Mac, Failure> {
        check(context)?;
        self.with(message, message.len(), |api, message, output| {
            scope(api, |scope| {
                let (key, nonce) = (scope.copy_in(key)?, scope.copy_in(nonce)?);
                let (context, mac) = (scope.copy_in(context)?, scope.zeroed::<u8>(16)?);
                let (len, context_len) = (message.len(), context.len());
                scope.crypto_aead_lock(
                    output,
                    mac,
                    key,
                    nonce,
                    context,
                    context_len,
                    message,
                    len,
                )?;
                scope.read_into(output, sealed)?;
                array(scope, mac)
            })
        })
    }

    /// Decrypts the output of [`seal`](Self::seal) into `message`, which has the same length.
    /// Returns `false` if it, its code, key, nonce or context was changed.
    ///
    /// # Errors
    /// If it is longer than [`MESSAGE`], or the call fails.
    pub fn open(
        &mut self,
        (key, nonce): (&Key, &Nonce),
        context: &[u8],
        (sealed, mac): (&[u8], &Mac),
        message: &mut [u8],
    ) -> Result<bool, Failure> {
        check(context)?;
        self.with(sealed, sealed.len(), |api, sealed, output| {
            scope(api, |scope| {
                let (key, nonce) = (scope.copy_in(key)?, scope.copy_in(nonce)?);
                let (context, mac) = (scope.copy_in(context)?, scope.copy_in(mac)?);
                let (len, context_len) = (sealed.len(), context.len());
                let status = scope.crypto_aead_unlock(
                    output,
                    mac,
                    key,
                    nonce,
                    context,
                    context_len,
                    sealed,
                    len,
                )?;
                if status == 0 {
                    scope.read_into(output, message)?;
                }
                Ok(status == 0)
            })
        })
    }

    /// Computes the secret that two parties share (X25519), from the secret key of one and the
    /// public key of the other.
    ///
    /// # Errors
    /// If the call fails.
    pub fn shared_secret(&mut self, secret: &Key, public: &Key) -> Result<Key, Failure> {
        self.with(public, 32, |api, public, output| {
            scope(api, |scope| {
                let secret = scope.copy_in(secret)?;
                scope.crypto_x25519(output, secret, public)?;
                array(scope, output)
            })
        })
    }

    /// Returns true if this is the Ed25519 signature of the message by the owner of the public key.
    ///
    /// # Errors
    /// If the message is longer than [`MESSAGE`], or the call fails.
    pub fn is_signature(
        &mut self,
        signature: &Signature,
        public: &Key,
        message: &[u8],
    ) -> Result<bool, Failure> {
        self.with(message, 1, |api, message, _| {
            scope(api, |scope| {
                let (signature, public) = (scope.copy_in(signature)?, scope.copy_in(public)?);
                let len = message.len();
                Ok(scope.crypto_ed25519_check(signature, public, message, len)? == 0)
            })
        })
    }

    /// Signs a message with Ed25519. Returns the public key and the signature.
    ///
    /// # Errors
    /// If the message is longer than [`MESSAGE`], or the call fails.
    pub fn sign(&mut self, seed: &Key, message: &[u8]) -> Result<(Key, Signature), Failure> {
        self.with(message, 64, |api, message, signature| {
            scope(api, |scope| {
                let seed = scope.copy_in(seed)?;
                let (secret, public) = (scope.zeroed::<u8>(64)?, scope.zeroed::<u8>(32)?);
                scope.crypto_ed25519_key_pair(secret, public, seed)?;
                scope.crypto_ed25519_sign(signature, secret, message, message.len())?;
                Ok((array(scope, public)?, array(scope, signature)?))
            })
        })
    }

    /// Makes the library write to a forbidden address, as a bug would.
    ///
    /// # Errors
    /// Always: the fault.
    pub fn crash(&mut self, address: usize) -> Result<(), Failure> {
        self.domain.run(|library| Ok(library.crypto_wipe(Ptr::from_addr(address), 4)?))
    }

    /// Runs `work` with a copy of `input` in the library's memory, and with room for `output`
    /// bytes.
    fn with<T>(
        &mut self,
        input: &[u8],
        output: usize,
        work: impl FnOnce(&mut Api<Runtime>, SliceMut<u8>, SliceMut<u8>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        check(input)?;
        self.domain.run(|library| {
            library.scope(|scope| {
                let input = scope.copy_in(input)?;
                let output = scope.zeroed::<u8>(output)?;
                Ok(work(scope, input, output))
            })?
        })
    }
}

fn check(bytes: &[u8]) -> Result<(), Failure> {
    if bytes.len() > MESSAGE { Err(Failure::TooLarge) } else { Ok(()) }
}

/// Opens a scope for work that may fail in more ways than foreign calls do.
fn scope<T>(
    api: &mut Api<Runtime>,
    work: impl for<'s> FnOnce(&mut omniglot::Scope<'s, '_, Api<Runtime>>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    api.scope(|scope| Ok(work(scope)))?
}

/// Copies an array out of the library's memory.
fn array<const N: usize>(api: &Api<Runtime>, from: SliceMut<u8>) -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    api.read_into(from, &mut bytes)?;
    Ok(bytes)
}
