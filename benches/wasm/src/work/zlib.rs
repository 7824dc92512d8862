//! zlib.

use std::hint::black_box;

use anyhow::{Result, ensure};
use omniglot_turns::Variant;

use super::{NATIVE, on_each_guest, repeated};
use crate::guest::{Guest, Room};
use crate::module::Modules;
use crate::native;

/// The level that `Z_DEFAULT_COMPRESSION` stands for.
const LEVEL: i32 = 6;

/// One operation compresses the text, decompresses it and compares.
pub(super) fn variants(modules: &Modules, text: String) -> Result<Vec<Variant>> {
    let mut rooms = [vec![0; 2 * text.len()], vec![0; 2 * text.len()]];
    let packed = native::zlib::compress(text.as_bytes(), LEVEL, &mut rooms[0])?;
    let source = text.clone();
    let mut variants = vec![repeated(NATIVE, move || {
        native::zlib::round_trip(black_box(&source), LEVEL, &mut rooms)
    })];
    variants.extend(on_each_guest!(modules, "z", |name, guest| {
        variant(name, Zlib::new(guest, text.len())?, text.clone(), packed)?
    }));
    Ok(variants)
}

fn variant<G: Guest>(
    name: &str,
    mut zlib: Zlib<G>,
    text: String,
    packed: usize,
) -> Result<Variant> {
    let len = zlib.round_trip(&text)?;
    ensure!(len == packed, "{len} bytes instead of plain FFI's {packed}");
    Ok(repeated(name, move || {
        black_box(zlib.round_trip(black_box(&text))?);
        Ok(())
    }))
}

struct Zlib<G: Guest> {
    guest: G,
    compress: G::Function<(u32, u32, u32, u32, i32), i32>,
    uncompress: G::Function<(u32, u32, u32, u32), i32>,
    source: Room,
    packed: Room,
    unpacked: Room,
    len: Room,
}

impl<G: Guest> Zlib<G> {
    /// Makes room for texts of at most so many bytes.
    fn new(mut guest: G, most: usize) -> Result<Self> {
        let compress = guest.find("compress2")?;
        let uncompress = guest.find("uncompress")?;
        let source = Room::new(&mut guest, most)?;
        let packed = Room::new(&mut guest, 2 * most)?;
        let unpacked = Room::new(&mut guest, 2 * most)?;
        let len = Room::new(&mut guest, 4)?;
        Ok(Self { guest, compress, uncompress, source, packed, unpacked, len })
    }

    /// Returns the length of the compressed text.
    fn round_trip(&mut self, text: &str) -> Result<usize> {
        let guest = &mut self.guest;
        let (size, room) = (u32::try_from(text.len())?, u32::try_from(2 * text.len())?);
        let [source, packed, unpacked, len] =
            [self.source, self.packed, self.unpacked, self.len].map(Room::address);
        self.source.write(guest, text.as_bytes())?;
        self.len.set(guest, room)?;
        let status = guest.call(&self.compress, (packed, len, source, size, LEVEL))?;
        ensure!(status == 0, "zlib refused to compress");
        let packed_len = self.len.get(guest)?;
        self.len.set(guest, room)?;
        let status = guest.call(&self.uncompress, (unpacked, len, packed, packed_len))?;
        ensure!(status == 0, "zlib refused to decompress");
        let unpacked_len = self.len.get(guest)? as usize;
        let unpacked = self.unpacked.bytes(guest, unpacked_len)?;
        ensure!(unpacked == text.as_bytes(), "another text came back");
        Ok(packed_len as usize)
    }
}
