//! The libraries linked to this program, and called directly in machine mode.
#![allow(unsafe_code)]

use core::convert::Infallible;
use core::ffi::{c_int, c_uint, c_ulong, c_void};
use core::hint::black_box;

use crate::count::{Counts, LONG, SHORT, Signed, count, message};

// The declarations are those of monocypher.h, uECC.h and zlib.h.
unsafe extern "C" {
    fn crypto_blake2b(hash: *mut u8, hash_size: usize, message: *const u8, message_size: usize);
    fn crypto_x25519(shared: *mut u8, secret: *const u8, public: *const u8);
    fn uECC_secp256r1() -> *const c_void;
    fn uECC_set_rng(function: unsafe extern "C" fn(*mut u8, c_uint) -> c_int);
    fn uECC_make_key(public: *mut u8, private: *mut u8, curve: *const c_void) -> c_int;
    fn uECC_sign(
        private: *const u8,
        hash: *const u8,
        hash_size: c_uint,
        signature: *mut u8,
        curve: *const c_void,
    ) -> c_int;
    fn uECC_verify(
        public: *const u8,
        hash: *const u8,
        hash_size: c_uint,
        signature: *const u8,
        curve: *const c_void,
    ) -> c_int;
    fn crc32(crc: c_ulong, bytes: *const u8, len: c_uint) -> c_ulong;
}

/// Measures all workloads.
pub(crate) fn measure() -> Counts {
    let (short, long) = (message::<SHORT>(), message::<LONG>());
    let signed = signed();
    [
        counted(empty),
        counted(|| hash(&short)),
        counted(|| hash(&long)),
        counted(exchange),
        counted(|| verify(&signed)),
        counted(|| checksum(&long)),
    ]
}

fn counted(mut work: impl FnMut()) -> u64 {
    let counted = count(|| {
        work();
        Ok::<_, Infallible>(())
    });
    match counted {
        Ok(count) => count,
    }
}

fn empty() {
    // SAFETY: a function without arguments, declared as in uECC.h; it gives a constant address.
    black_box(unsafe { uECC_secp256r1() });
}

fn hash(message: &[u8]) {
    let mut hash = [0; 64];
    // SAFETY: declared as in monocypher.h; both pointers are to as many bytes as is said.
    unsafe { crypto_blake2b(hash.as_mut_ptr(), 64, message.as_ptr(), message.len()) };
    black_box(hash);
}

fn exchange() {
    let (mut shared, secret, public) = ([0; 32], [7_u8; 32], [9_u8; 32]);
    // SAFETY: declared as in monocypher.h; all three pointers are to 32 bytes.
    unsafe { crypto_x25519(shared.as_mut_ptr(), secret.as_ptr(), public.as_ptr()) };
    black_box(shared);
}

fn verify(signed: &Signed) {
    // SAFETY: as in `empty`.
    let curve = unsafe { uECC_secp256r1() };
    let Signed { public, digest, signature } = signed;
    // SAFETY: declared as in uECC.h; the pointers are to as many bytes as the curve has.
    let status =
        unsafe { uECC_verify(public.as_ptr(), digest.as_ptr(), 32, signature.as_ptr(), curve) };
    black_box(status);
}

fn checksum(bytes: &[u8]) {
    // SAFETY: declared as in zlib.h; the pointer is to as many bytes as is said.
    black_box(unsafe { crc32(0, bytes.as_ptr(), bytes.len() as c_uint) });
}

/// Numbers that are good enough to measure with: always the same.
unsafe extern "C" fn numbers(to: *mut u8, len: c_uint) -> c_int {
    for index in 0..len as usize {
        let place = to.wrapping_add(index);
        // SAFETY: micro-ecc calls this with a pointer to as many bytes as it says (uECC.h).
        unsafe { place.write(index as u8 ^ 0x5a) };
    }
    1
}

/// A key, and a signature with it.
pub(crate) fn signed() -> Signed {
    let (mut public, mut private, digest) = ([0; 64], [0; 32], [3; 32]);
    let mut signature = [0; 64];
    // SAFETY: as in `empty`.
    let curve = unsafe { uECC_secp256r1() };
    // SAFETY: declared as in uECC.h.
    unsafe { uECC_set_rng(numbers) };
    // SAFETY: declared as in uECC.h; the pointers are to as many bytes as the curve has.
    unsafe { uECC_make_key(public.as_mut_ptr(), private.as_mut_ptr(), curve) };
    let (key, hash) = (private.as_ptr(), digest.as_ptr());
    // SAFETY: as above.
    unsafe { uECC_sign(key, hash, 32, signature.as_mut_ptr(), curve) };
    Signed { public, digest, signature }
}
