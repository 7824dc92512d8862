//! libsodium's hash, with the distribution's library.

use std::hint::black_box;
use std::rc::Rc;

use anyhow::{Result, ensure};
use omniglot::Runtime;
use omniglot_turns::{Variant, Workload};

use crate::inputs::{Inputs, random_bytes};
use crate::native;
use crate::runtimes::on_each_runtime;
use crate::user::sodium::{HASH, Sodium, hash, init};

/// One operation hashes a message of `size` bytes, including the copy into the library's memory. An
/// independent implementation of BLAKE2b gives the expected result.
pub(crate) fn libsodium(_: &Inputs, size: usize) -> Result<Workload> {
    let message: Rc<[u8]> = random_bytes(size).into();
    let expected = blake2b_simd::Params::new().hash_length(HASH).hash(&message);
    native::sodium::init()?;
    ensure!(native::sodium::hash(&message)? == *expected.as_bytes(), "a wrong hash");
    let bytes = Rc::clone(&message);
    let mut variants = vec![Variant::new("native", move |count| {
        for _ in 0..count {
            black_box(native::sodium::hash(black_box(&bytes))?);
        }
        Ok(())
    })];
    variants.extend(on_each_runtime!(Sodium, |name, library| {
        variant(name, library, Rc::clone(&message), expected.as_bytes())?
    }));
    Ok(Workload { size, variants })
}

fn variant<R: Runtime>(
    name: &str,
    mut sodium: Sodium<R>,
    message: Rc<[u8]>,
    expected: &[u8],
) -> Result<Variant> {
    init(&mut sodium)?;
    ensure!(hash(&mut sodium, &message)? == *expected, "a wrong hash");
    Ok(Variant::new(name, move |count| {
        for _ in 0..count {
            black_box(hash(&mut sodium, black_box(&message))?);
        }
        Ok(())
    }))
}
