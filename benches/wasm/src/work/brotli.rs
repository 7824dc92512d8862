//! Brotli's encoder and decoder.

use std::hint::black_box;

use anyhow::{Result, ensure};
use omniglot_turns::Variant;

use super::{NATIVE, on_each_guest, repeated};
use crate::guest::{Guest, Room};
use crate::module::Modules;
use crate::native;

/// log2 of the window's size.
const WINDOW: i32 = 22;
/// `BROTLI_MODE_GENERIC`.
const GENERIC: i32 = 0;
/// `BROTLI_TRUE`, and `BROTLI_DECODER_RESULT_SUCCESS`.
const DONE: i32 = 1;

/// One operation compresses the text with this quality, decompresses it and compares.
pub(super) fn round_trips(modules: &Modules, text: String, quality: i32) -> Result<Vec<Variant>> {
    let packed = packed(&text, quality)?.len();
    let (source, mut rooms) = (text.clone(), [vec![0; 2 * text.len()], vec![0; 2 * text.len()]]);
    let mut variants = vec![repeated(NATIVE, move || {
        native::brotli::round_trip(black_box(&source), quality, &mut rooms)
    })];
    variants.extend(on_each_guest!(modules, "brotli", |name, guest| {
        compression(name, Brotli::new(guest, text.len())?, text.clone(), quality, packed)?
    }));
    Ok(variants)
}

/// Returns the text compressed by plain FFI.
fn packed(text: &str, quality: i32) -> Result<Vec<u8>> {
    let mut packed = vec![0; 2 * text.len()];
    let len = native::brotli::compress(text.as_bytes(), quality, &mut packed)?;
    packed.truncate(len);
    Ok(packed)
}

fn compression<G: Guest>(
    name: &str,
    mut brotli: Brotli<G>,
    text: String,
    quality: i32,
    packed: usize,
) -> Result<Variant> {
    let len = brotli.round_trip(&text, quality)?;
    ensure!(len == packed, "{len} bytes instead of plain FFI's {packed}");
    Ok(repeated(name, move || {
        black_box(brotli.round_trip(black_box(&text), quality)?);
        Ok(())
    }))
}

/// One operation decompresses the text.
pub(super) fn decompressions(modules: &Modules, text: &str) -> Result<Vec<Variant>> {
    let packed = packed(text, 5)?;
    let (source, mut room) = (packed.clone(), vec![0; text.len()]);
    let mut variants = vec![repeated(NATIVE, move || {
        black_box(native::brotli::decompress(black_box(&source), &mut room)?);
        Ok(())
    })];
    variants.extend(on_each_guest!(modules, "brotli", |name, guest| {
        unpacking(name, Brotli::new(guest, text.len())?, packed.clone(), text)?
    }));
    Ok(variants)
}

fn unpacking<G: Guest>(
    name: &str,
    mut brotli: Brotli<G>,
    packed: Vec<u8>,
    text: &str,
) -> Result<Variant> {
    let mut room = vec![0; text.len()];
    brotli.decompress(&packed, &mut room)?;
    ensure!(room == text.as_bytes(), "another text came back");
    Ok(repeated(name, move || brotli.decompress(black_box(&packed), &mut room)))
}

/// The arguments of `BrotliEncoderCompress`.
type Encoding = (i32, i32, i32, u32, u32, u32, u32);

struct Brotli<G: Guest> {
    guest: G,
    encode: G::Function<Encoding, i32>,
    decode: G::Function<(u32, u32, u32, u32), i32>,
    source: Room,
    packed: Room,
    unpacked: Room,
    len: Room,
}

impl<G: Guest> Brotli<G> {
    /// Makes room for texts of at most so many bytes.
    fn new(mut guest: G, most: usize) -> Result<Self> {
        let encode = guest.find("BrotliEncoderCompress")?;
        let decode = guest.find("BrotliDecoderDecompress")?;
        let source = Room::new(&mut guest, most)?;
        let packed = Room::new(&mut guest, 2 * most)?;
        let unpacked = Room::new(&mut guest, 2 * most)?;
        let len = Room::new(&mut guest, 4)?;
        Ok(Self { guest, encode, decode, source, packed, unpacked, len })
    }

    /// Returns the length of the compressed text.
    fn round_trip(&mut self, text: &str, quality: i32) -> Result<usize> {
        let guest = &mut self.guest;
        let size = u32::try_from(text.len())?;
        self.source.write(guest, text.as_bytes())?;
        self.len.set(guest, 2 * size)?;
        let [source, packed, len] = [self.source, self.packed, self.len].map(Room::address);
        let arguments = (quality, WINDOW, GENERIC, size, source, len, packed);
        ensure!(guest.call(&self.encode, arguments)? == DONE, "brotli refused to compress");
        let packed_len = self.len.get(guest)?;
        let unpacked = self.unpack(packed_len, 2 * size)?;
        ensure!(std::str::from_utf8(unpacked)? == text, "another text came back");
        Ok(packed_len as usize)
    }

    /// Decompresses, and copies the result to the host.
    fn decompress(&mut self, packed: &[u8], into: &mut [u8]) -> Result<()> {
        self.packed.write(&mut self.guest, packed)?;
        let unpacked = self.unpack(u32::try_from(packed.len())?, u32::try_from(into.len())?)?;
        ensure!(unpacked.len() == into.len(), "a text of another length came back");
        into.copy_from_slice(unpacked);
        Ok(())
    }

    /// Decompresses what is in `packed` to at most `room` bytes.
    fn unpack(&mut self, packed_len: u32, room: u32) -> Result<&[u8]> {
        let guest = &mut self.guest;
        self.len.set(guest, room)?;
        let [packed, unpacked, len] = [self.packed, self.unpacked, self.len].map(Room::address);
        let result = guest.call(&self.decode, (packed_len, packed, len, unpacked))?;
        ensure!(result == DONE, "brotli refused to decompress");
        let len = self.len.get(guest)? as usize;
        Ok(self.unpacked.bytes(guest, len)?)
    }
}
