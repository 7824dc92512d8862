//! The libraries linked to this program, and called directly in machine mode.
#![allow(unsafe_code)]

use core::cell::UnsafeCell;
use core::convert::Infallible;
use core::ffi::{c_int, c_uint, c_ulong, c_void};
use core::hint::black_box;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::count::{Counts, LONG, SHORT, Signed, count, message};
use crate::{files, inflate, network};

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
    fn zlibVersion() -> *const u8;
    fn inflateInit2_(stream: *mut Words, bits: c_int, version: *const u8, size: c_int) -> c_int;
    fn inflate(stream: *mut Words, flush: c_int) -> c_int;
    fn inflateEnd(stream: *mut Words) -> c_int;
}

/// `z_stream`.
type Words = [usize; inflate::WORDS];

/// Measures all workloads.
pub(crate) fn measure() -> Counts {
    let (short, long) = (message::<SHORT>(), message::<LONG>());
    let signed = signed();
    [
        counted(empty),
        counted(|| hash(&short.0)),
        counted(|| hash(&long.0)),
        counted(exchange),
        counted(|| verify(&signed)),
        counted(|| checksum(&long.0)),
        counted(decompress),
        files::native(&message().0),
        network::native(),
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
    // SAFETY: declared as in uECC.h; a function without arguments that returns a constant address.
    black_box(unsafe { uECC_secp256r1() });
}

fn hash(message: &[u8]) {
    let mut hash = [0; 64];
    // SAFETY: declared as in monocypher.h; the pointers are to as many bytes as the lengths say.
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
    // SAFETY: declared as in zlib.h; the pointer is to as many bytes as the length says.
    black_box(unsafe { crc32(0, bytes.as_ptr(), bytes.len() as c_uint) });
}

fn decompress() {
    let mut stream = Stream { words: [0; inflate::WORDS], output: [0; inflate::CHUNK] };
    let whole = inflate::run(&mut stream);
    black_box(matches!(whole, Ok(true)));
}

/// A stream, and the buffer for its output.
struct Stream {
    words: Words,
    output: [u8; inflate::CHUNK],
}

impl inflate::Inflate for Stream {
    type Error = Infallible;

    fn start(&mut self) -> Result<(), Infallible> {
        // SAFETY: declared as in zlib.h; it returns a constant address.
        let version = unsafe { zlibVersion() };
        let (words, bits) = (&raw mut self.words, inflate::ANY_FORMAT as c_int);
        // SAFETY: declared as in zlib.h; the stream is zero, as required, and has that size.
        unsafe { inflateInit2_(words, bits, version, size_of::<Words>() as c_int) };
        Ok(())
    }

    fn feed(&mut self, packed: &[u8]) -> Result<(), Infallible> {
        self.words[inflate::NEXT_IN] = packed.as_ptr().expose_provenance();
        self.words[inflate::LEFT_IN] = packed.len();
        Ok(())
    }

    fn step(&mut self) -> Result<(usize, [usize; 2]), Infallible> {
        self.words[inflate::NEXT_OUT] = self.output.as_mut_ptr().expose_provenance();
        self.words[inflate::LEFT_OUT] = inflate::CHUNK;
        // SAFETY: declared as in zlib.h; the stream names as many bytes of input and output as
        // there are.
        let status = unsafe { inflate(&raw mut self.words, 0) };
        Ok((status as usize, [self.words[inflate::LEFT_IN], self.words[inflate::LEFT_OUT]]))
    }

    fn end(&mut self) -> Result<(), Infallible> {
        // SAFETY: declared as in zlib.h.
        unsafe { inflateEnd(&raw mut self.words) };
        Ok(())
    }
}

/// Size of zlib's heap: its state and its window.
const HEAP: usize = 64 << 10;
static TAKEN: AtomicUsize = AtomicUsize::new(0);

#[repr(align(16))]
struct Heap(UnsafeCell<[u8; HEAP]>);

// SAFETY: each byte is given to one caller at a time, and there is one hart.
unsafe impl Sync for Heap {}

static MEMORY: Heap = Heap(UnsafeCell::new([0; HEAP]));

/// A bump allocator for zlib.
#[unsafe(no_mangle)]
extern "C" fn malloc(size: usize) -> *mut c_void {
    let size = size.next_multiple_of(16);
    let start = TAKEN.fetch_add(size, Ordering::Relaxed);
    if start + size > HEAP {
        return core::ptr::null_mut();
    }
    MEMORY.0.get().cast::<u8>().wrapping_add(start).cast()
}

/// Frees everything: zlib frees memory only at the end of a stream.
#[unsafe(no_mangle)]
extern "C" fn free(_: *mut c_void) {
    TAKEN.store(0, Ordering::Relaxed);
}

/// A generator of fixed numbers, which suffice for measurements.
unsafe extern "C" fn numbers(to: *mut u8, len: c_uint) -> c_int {
    for index in 0..len as usize {
        let place = to.wrapping_add(index);
        // SAFETY: micro-ecc passes a pointer to as many bytes as `len` says (uECC.h).
        unsafe { place.write(index as u8 ^ 0x5a) };
    }
    1
}

/// Returns a key and a signature made with it.
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
