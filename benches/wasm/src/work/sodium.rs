//! libsodium's hash.

use std::hint::black_box;

use anyhow::{Context, Result, ensure};
use omniglot_turns::Variant;

use super::{NATIVE, on_each_guest, repeated};
use crate::guest::{Guest, Room};
use crate::inputs::random_bytes;
use crate::module::Modules;
use crate::native;

/// Size of a hash in bytes.
const HASH: usize = 32;

/// One operation hashes a message of `size` bytes, including the copy into the module's memory.
pub(super) fn variants(modules: &Modules, size: usize) -> Result<Vec<Variant>> {
    let message = random_bytes(size);
    let expected = native::sodium::hash(&message)?;
    let bytes = message.clone();
    let mut variants = vec![repeated(NATIVE, move || {
        black_box(native::sodium::hash(black_box(&bytes))?);
        Ok(())
    })];
    variants.extend(on_each_guest!(modules, "sodium", |name, guest| {
        variant(name, Sodium::new(guest, size)?, message.clone(), expected)?
    }));
    Ok(variants)
}

fn variant<G: Guest>(
    name: &str,
    mut sodium: Sodium<G>,
    message: Vec<u8>,
    expected: [u8; HASH],
) -> Result<Variant> {
    ensure!(sodium.hash(&message)? == expected, "another hash than plain FFI's");
    Ok(repeated(name, move || {
        black_box(sodium.hash(black_box(&message))?);
        Ok(())
    }))
}

/// The arguments of `crypto_generichash`.
type Arguments = (u32, u32, u32, u64, u32, u32);

struct Sodium<G: Guest> {
    guest: G,
    hash: G::Function<Arguments, i32>,
    message: Room,
    room: Room,
}

impl<G: Guest> Sodium<G> {
    fn new(mut guest: G, most: usize) -> Result<Self> {
        let hash = guest.find("crypto_generichash")?;
        let message = Room::new(&mut guest, most)?;
        let room = Room::new(&mut guest, HASH)?;
        Ok(Self { guest, hash, message, room })
    }

    fn hash(&mut self, message: &[u8]) -> Result<[u8; HASH]> {
        self.message.write(&mut self.guest, message)?;
        let (room, from) = (self.room.address(), self.message.address());
        let arguments = (room, HASH as u32, from, message.len() as u64, 0, 0);
        let status = self.guest.call(&self.hash, arguments)?;
        ensure!(status == 0, "libsodium refused to hash");
        let hash = self.room.bytes(&mut self.guest, HASH)?;
        hash.first_chunk().copied().context("a hash of another length")
    }
}
