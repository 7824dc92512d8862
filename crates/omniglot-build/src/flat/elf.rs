//! Reading what the linker wrote.

use std::collections::BTreeMap;

use object::read::elf::ElfFile32;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionFlags, elf};

use crate::error::{Error, Result};

/// A linked image.
pub(crate) struct Linked {
    symbols: BTreeMap<String, u32>,
    /// Contents of memory, by address.
    sections: Vec<(u32, Vec<u8>)>,
}

fn unreadable(message: impl std::fmt::Display) -> Error {
    Error::Link { output: format!("the linked image cannot be read: {message}") }
}

impl Linked {
    pub(crate) fn new(bytes: &[u8]) -> Result<Self> {
        let file = ElfFile32::<object::Endianness>::parse(bytes).map_err(unreadable)?;
        let symbols = file
            .symbols()
            .filter_map(|symbol| {
                let address = u32::try_from(symbol.address()).ok()?;
                Some((symbol.name().ok()?.to_owned(), address))
            })
            .collect();
        let mut sections = Vec::new();
        for section in file.sections() {
            let SectionFlags::Elf { sh_flags, .. } = section.flags() else { continue };
            let data = section.data().map_err(unreadable)?;
            if sh_flags.0 & elf::SHF_ALLOC.0 != 0 && !data.is_empty() {
                let address = u32::try_from(section.address()).map_err(unreadable)?;
                sections.push((address, data.to_owned()));
            }
        }
        Ok(Self { symbols, sections })
    }

    /// The address of a symbol.
    pub(crate) fn symbol(&self, name: &str) -> Result<u32> {
        self.symbols.get(name).copied().ok_or_else(|| unreadable(format!("it has no {name}")))
    }

    /// The contents of memory from `start` up to the last that has some before `end`.
    pub(crate) fn contents(&self, start: u32, end: u32) -> Vec<u8> {
        let mut contents = Vec::new();
        let inside = |(address, _): &&(u32, Vec<u8>)| (start..end).contains(address);
        for (address, bytes) in self.sections.iter().filter(inside) {
            let offset = (address - start) as usize;
            if contents.len() < offset + bytes.len() {
                contents.resize(offset + bytes.len(), 0);
            }
            if let Some(room) = contents.get_mut(offset..offset + bytes.len()) {
                room.copy_from_slice(bytes);
            }
        }
        contents
    }

    /// The word at an address.
    pub(crate) fn word(&self, address: u32) -> Result<u32> {
        let found = self.sections.iter().find_map(|(start, bytes)| {
            let offset = address.checked_sub(*start)? as usize;
            Some(u32::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
        });
        found.ok_or_else(|| unreadable(format!("nothing is at {address:#x}")))
    }
}
