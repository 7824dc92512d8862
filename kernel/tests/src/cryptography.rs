//! Tests monocypher and micro-ecc against third parties' vectors.

use omniglot_kernel::Kernel;
use omniglot_kernel::services::cryptography::MESSAGE;

use crate::report::{Outcome, Report, Test, because, check, equal, unexpected};
use crate::vectors::{Vector, Vectors};

macro_rules! table {
    ($name:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".table"))
    };
}

/// The longest message of a vector.
const LONGEST: usize = 1024;

/// Vectors for which a library is known to give another answer, with the reason. The test fails if
/// the library gives the right answer, so this list stays true.
const KNOWN: &[(&str, u16, &str)] = &[
    ("ed25519", 151, "monocypher ignores the sign of x where x is 0"),
    ("ecdsa_secp256r1_sha256", 60, "on its way micro-ecc adds a point to its negative, and cannot"),
    ("ecdsa_secp256r1_sha256", 210, "on its way micro-ecc adds a point to itself, and cannot"),
];

const TESTS: &[Test] = &[
    ("monocypher::hash_of_300_lengths", hashes),
    ("monocypher::too_long_is_refused", too_long),
    ("monocypher::signs_what_it_checks", signs),
    ("micro_ecc::signs_what_it_checks", ecdsa_signs),
    ("micro_ecc::without_random_numbers_nothing_is_made", without_random),
];

pub(crate) fn run(kernel: &mut Kernel, report: &mut Report) {
    report.run(kernel, TESTS);
    vectors(kernel, report, "x25519", table!("x25519"), x25519);
    vectors(kernel, report, "xchacha20_poly1305", table!("xchacha20_poly1305"), sealed);
    vectors(kernel, report, "ed25519", table!("ed25519"), ed25519);
    let name = "ecdsa_secp256r1_sha256";
    vectors(kernel, report, name, table!("ecdsa_secp256r1_sha256_p1363"), ecdsa);
}

/// Runs every test of a table. An empty table is a failure.
fn vectors<const FIELDS: usize>(
    kernel: &mut Kernel,
    report: &mut Report,
    name: &str,
    table: &[u8],
    test: impl Fn(&mut Kernel, &Vector<'_, FIELDS>) -> Outcome,
) {
    let mut count = 0;
    for vector in Vectors::<FIELDS>::new(table) {
        count += 1;
        let outcome = test(kernel, &vector);
        let number = vector.number;
        let title = format_args!("wycheproof::{name}::{number}");
        let known = KNOWN.iter().find(|known| (known.0, known.1) == (name, number));
        match (known, outcome) {
            (None, outcome) => report.result(&mut kernel.uart, title, outcome),
            (Some((.., why)), Err(_)) => report.ignored(&mut kernel.uart, title, why),
            (Some(_), Ok(())) => {
                report.result(&mut kernel.uart, title, check(false, "it is listed in KNOWN"));
            }
        }
    }
    let outcome = check(count > 100, "the table is cut off");
    report.result(&mut kernel.uart, format_args!("wycheproof::{name}::is_whole"), outcome);
}

/// Returns the field as an array, or `None` if it has another length, which our types exclude.
fn array<const N: usize>(field: &[u8]) -> Option<&[u8; N]> {
    field.try_into().ok()
}

fn x25519(kernel: &mut Kernel, vector: &Vector<'_, 3>) -> Outcome {
    let [secret, public, shared] = vector.fields.map(array);
    let (Some(secret), Some(public), Some(shared)) = (secret, public, shared) else {
        return check(!vector.is_good, "a key of another length is good");
    };
    let found = kernel.services.cryptography.shared_secret(secret, public).map_err(unexpected)?;
    equal(&found, shared)
}

fn sealed(kernel: &mut Kernel, vector: &Vector<'_, 6>) -> Outcome {
    let [key, nonce, context, message, sealed, mac] = vector.fields;
    let (Some(key), Some(nonce), Some(mac)) = (array(key), array(nonce), array(mac)) else {
        return check(!vector.is_good, "a key, nonce or code of another length is good");
    };
    let mut room = [0; LONGEST];
    let room = room.get_mut(..message.len()).ok_or_else(|| because(format_args!("too long")))?;
    let service = &mut kernel.services.cryptography;
    let opened = service.open((key, nonce), context, (sealed, mac), room).map_err(unexpected)?;
    equal(&opened, &vector.is_good)?;
    if !opened {
        return Ok(());
    }
    equal(&&*room, &message)?;
    let found = service.seal((key, nonce), context, message, room).map_err(unexpected)?;
    equal(&&*room, &sealed)?;
    equal(&found, mac)
}

fn ed25519(kernel: &mut Kernel, vector: &Vector<'_, 3>) -> Outcome {
    let [public, message, signature] = vector.fields;
    let (Some(public), Some(signature)) = (array(public), array(signature)) else {
        return check(!vector.is_good, "a key or signature of another length is good");
    };
    let service = &mut kernel.services.cryptography;
    let found = service.is_signature(signature, public, message).map_err(unexpected)?;
    equal(&found, &vector.is_good)
}

fn ecdsa(kernel: &mut Kernel, vector: &Vector<'_, 3>) -> Outcome {
    let [public, digest, signature] = vector.fields;
    let (Some(public), Some(digest), Some(signature)) =
        (array(public), array(digest), array(signature))
    else {
        return check(!vector.is_good, "a key or signature of another length is good");
    };
    let service = &mut kernel.services.signatures;
    let found = service.is_signature(signature, public, digest).map_err(unexpected)?;
    equal(&found, &vector.is_good)
}

fn hashes(kernel: &mut Kernel) -> Outcome {
    let mut message = [0; 300];
    for (byte, position) in message.iter_mut().zip(0_u32..) {
        *byte = position as u8;
    }
    for (len, wanted) in table!("blake2b").chunks_exact(64).enumerate() {
        let mut hash = [0; 64];
        let message = message.get(..len).unwrap_or(&[]);
        kernel.services.cryptography.hash(message, &mut hash).map_err(unexpected)?;
        check(hash == wanted, format_args!("the hash of {len} bytes is another"))?;
    }
    Ok(())
}

fn too_long(kernel: &mut Kernel) -> Outcome {
    let message = [0; MESSAGE + 1];
    let mut hash = [0; 64];
    let service = &mut kernel.services.cryptography;
    check(service.hash(&message, &mut hash).is_err(), "it was taken")?;
    let message = message.get(..MESSAGE).unwrap_or(&[]);
    service.hash(message, &mut hash).map_err(unexpected)
}

fn signs(kernel: &mut Kernel) -> Outcome {
    let seed = kernel.random().map_err(unexpected)?;
    let service = &mut kernel.services.cryptography;
    let (public, signature) = service.sign(&seed, b"message").map_err(unexpected)?;
    let good = service.is_signature(&signature, &public, b"message").map_err(unexpected)?;
    check(good, "its own signature is not good")?;
    let good = service.is_signature(&signature, &public, b"massage").map_err(unexpected)?;
    check(!good, "it is good for another message")
}

/// Returns a generator of fixed numbers, which suffice for tests.
fn random_numbers() -> impl FnMut(&mut [u8]) -> bool {
    let mut state = 0x2545_f491_u32;
    move |bytes| {
        for byte in bytes {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            *byte = state as u8;
        }
        true
    }
}

fn ecdsa_signs(kernel: &mut Kernel) -> Outcome {
    let service = &mut kernel.services.signatures;
    let mut random = random_numbers();
    for digest in [[1; 32], [0xff; 32]] {
        let (secret, public) = service.make_keys(&mut random).map_err(unexpected)?;
        let signature = service.sign(&secret, &digest, &mut random).map_err(unexpected)?;
        let good = service.is_signature(&signature, &public, &digest).map_err(unexpected)?;
        check(good, "its own signature is not good")?;
        let good = service.is_signature(&signature, &public, &[2; 32]).map_err(unexpected)?;
        check(!good, "it is good for another digest")?;
    }
    Ok(())
}

fn without_random(kernel: &mut Kernel) -> Outcome {
    let service = &mut kernel.services.signatures;
    check(service.make_keys(&mut |_| false).is_err(), "keys were made")
}
