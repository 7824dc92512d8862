//! Signatures over NIST's curve P-256 (ECDSA, FIPS 186-5), by micro-ecc.

use omniglot::{Answer, Ptr, Result as ForeignResult, SliceMut};
use omniglot_kernel_hardware::Hart;
use omniglot_pmp::ForeignRegion;

use crate::domain::{Failure, ForeignLibrary, Runtime};
use crate::foreign::micro_ecc::{Api, MicroEcc, uECC_RNG_Function};

/// A secret key.
pub type SecretKey = [u8; 32];
/// A public key: the point's two coordinates.
pub type PublicKey = [u8; 64];
/// A signature: its two numbers, `r` and `s`.
pub type Signature = [u8; 64];
/// The hash of the message that is signed.
pub type Digest = [u8; 32];

/// Fills bytes with unpredictable random numbers. Returns `false` if it has none.
pub type Random<'a> = &'a mut dyn FnMut(&mut [u8]) -> bool;

/// The signature service.
#[derive(Debug)]
pub struct Signatures {
    /// micro-ecc in its domain.
    pub domain: ForeignLibrary<MicroEcc<Runtime>>,
}

impl Signatures {
    /// Starts the library in its region.
    #[must_use]
    pub fn new(hart: Hart, region: ForeignRegion) -> Self {
        Self { domain: ForeignLibrary::start(hart, region) }
    }

    /// Makes a new pair of keys.
    ///
    /// # Errors
    /// If there are no random numbers, or the call fails.
    pub fn make_keys(&mut self, random: Random<'_>) -> Result<(SecretKey, PublicKey), Failure> {
        self.with_random(random, |api| {
            api.scope(|scope| {
                let (secret, public) = (scope.zeroed::<u8>(32)?, scope.zeroed::<u8>(64)?);
                let curve = scope.uECC_secp256r1()?;
                let status = scope.uECC_make_key(public, secret, curve)?;
                Ok((status, array(scope, secret)?, array(scope, public)?))
            })
        })
        .and_then(|(status, secret, public)| good(status, (secret, public)))
    }

    /// Signs a digest.
    ///
    /// # Errors
    /// If there are no random numbers, or the call fails.
    pub fn sign(
        &mut self,
        secret: &SecretKey,
        digest: &Digest,
        random: Random<'_>,
    ) -> Result<Signature, Failure> {
        self.with_random(random, |api| {
            api.scope(|scope| {
                let (secret, digest) = (scope.copy_in(secret)?, scope.copy_in(digest)?);
                let signature = scope.zeroed::<u8>(64)?;
                let curve = scope.uECC_secp256r1()?;
                let status = scope.uECC_sign(secret, digest, 32, signature, curve)?;
                Ok((status, array(scope, signature)?))
            })
        })
        .and_then(|(status, signature)| good(status, signature))
    }

    /// Returns true if this is the digest's signature by the owner of the public key.
    ///
    /// # Errors
    /// If the call fails.
    pub fn is_signature(
        &mut self,
        signature: &Signature,
        public: &PublicKey,
        digest: &Digest,
    ) -> Result<bool, Failure> {
        self.domain.run(|library| {
            let status = library.scope(|scope| {
                let (public, digest) = (scope.copy_in(public)?, scope.copy_in(digest)?);
                let signature = scope.copy_in(signature)?;
                let curve = scope.uECC_secp256r1()?;
                // `uECC_verify` does not check that the key is a point of the curve.
                if scope.uECC_valid_public_key(public, curve)? != 1 {
                    return Ok(0);
                }
                scope.uECC_verify(public, digest, 32, signature, curve)
            });
            Ok(status? == 1)
        })
    }

    /// Makes the library write to a forbidden address, as a bug would.
    ///
    /// # Errors
    /// Always: the fault.
    pub fn crash(&mut self, address: usize) -> Result<(), Failure> {
        self.domain.run(|library| {
            let curve = library.uECC_secp256r1()?;
            let secret = Ptr::from_addr(address);
            library.uECC_compute_public_key(secret, secret, curve)?;
            Ok(())
        })
    }

    /// Runs `work` while the library can call back for random numbers.
    fn with_random<T>(
        &mut self,
        random: Random<'_>,
        work: impl FnOnce(&mut Api<Runtime>) -> ForeignResult<T>,
    ) -> Result<T, Failure> {
        self.domain.run(|library| {
            let mut callback = |api: &mut Api<Runtime>, (to, len): (Ptr<u8>, u32)| {
                fill(api, to, len as usize, random)
            };
            library.with_callback::<uECC_RNG_Function, _>(&mut callback, |api, function| {
                api.uECC_set_rng(function)?;
                Ok(work(api)?)
            })?
        })
    }
}

/// Writes random bytes to the library's buffer.
fn fill(
    api: &mut Api<Runtime>,
    to: Ptr<u8>,
    len: usize,
    random: &mut dyn FnMut(&mut [u8]) -> bool,
) -> Answer<uECC_RNG_Function> {
    let to = api.upgrade_slice_mut(to, len)?;
    Ok(api.write_slice_with(to, random)?.into())
}

/// Returns `value`, or an error if the library's status says that it failed.
fn good<T>(status: i32, value: T) -> Result<T, Failure> {
    if status == 1 { Ok(value) } else { Err(Failure::Refused(status)) }
}

/// Copies an array out of the library's memory.
fn array<const N: usize>(api: &Api<Runtime>, from: SliceMut<u8>) -> ForeignResult<[u8; N]> {
    let mut bytes = [0; N];
    api.read_into(from, &mut bytes)?;
    Ok(bytes)
}
