//! What an ELF file says of an instruction: the function, and the line of the source.
//!
//! The file is untrusted. So no section is read that is too large, none is read as often as it says
//! itself, and looking ends when there is no time left.

#[cfg(feature = "symbols")]
mod lines;

use std::fs::File;
use std::time::Instant;

use object::LittleEndian as LE;
use object::elf::{
    FileHeader64, PT_LOAD, SHF_COMPRESSED, SHT_NOBITS, SHT_SYMTAB, STT_FUNC, SectionHeader64, Sym64,
};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader, SectionTable, Sym};
use object::read::{ReadCache, ReadRef};

use super::layout::page_size;

/// The largest section that is read; those of lines and of symbols are rarely as large as a tenth.
const LARGEST: u64 = 16 << 20;
/// The most sections in a file that is read. The name of each is read twice, and may be long.
const MOST_SECTIONS: u16 = 1024;
/// How many symbols are looked at between two looks at the clock.
const STRETCH: usize = 4096;

/// What is known of an instruction.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Details {
    /// The function, and how far in it the instruction is.
    pub(super) function: Option<(Vec<u8>, u64)>,
    /// The source's path, and the line.
    pub(super) line: Option<(Vec<u8>, u64)>,
}

/// Looks an instruction up that is so many bytes from where the file is loaded.
pub(super) fn look_up(elf: &[u8], offset: u64, until: Instant) -> Details {
    details(elf, offset, until).unwrap_or_default()
}

/// As [`look_up`]; reads what it needs of the file.
pub(super) fn look_up_in_file(file: File, offset: u64, until: Instant) -> Details {
    details(&ReadCache::new(file), offset, until).unwrap_or_default()
}

fn details<'a, R: ReadRef<'a>>(data: R, offset: u64, until: Instant) -> Option<Details> {
    let elf = Elf::parse(data, until)?;
    let address = elf.first_page()?.checked_add(offset)?;
    Some(Details { function: elf.function_at(address), line: elf.line_at(address) })
}

/// A file, as far as it is looked at.
struct Elf<'a, R: ReadRef<'a>> {
    data: R,
    header: &'a FileHeader64<LE>,
    sections: SectionTable<'a, FileHeader64<LE>, R>,
    until: Instant,
}

impl<'a, R: ReadRef<'a>> Elf<'a, R> {
    fn parse(data: R, until: Instant) -> Option<Self> {
        let header = FileHeader64::<LE>::parse(data).ok()?;
        // More than 65,280 sections have a count elsewhere, and 0 here.
        if !(1..=MOST_SECTIONS).contains(&header.e_shnum(LE)) {
            return None;
        }
        let sections = header.sections(LE, data).ok()?;
        Some(Self { data, header, sections, until })
    }

    /// The address, for the linker, of where the file is loaded.
    fn first_page(&self) -> Option<u64> {
        let segments = self.header.program_headers(LE, self.data).ok()?;
        let loaded = segments.iter().filter(|segment| segment.p_type(LE) == PT_LOAD);
        Some(loaded.map(|segment| segment.p_vaddr(LE)).min()? & !(page_size() as u64 - 1))
    }

    fn is_late(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Whether a section is in the file, as it is used.
    fn is_readable(section: &SectionHeader64<LE>) -> bool {
        section.sh_size(LE) <= LARGEST
            && section.sh_type(LE) != SHT_NOBITS
            && !section.sh_flags(LE).contains(SHF_COMPRESSED)
    }

    /// The function according to the table of all symbols, which has also those that no other
    /// file can call.
    fn function_at(&self, address: u64) -> Option<(Vec<u8>, u64)> {
        let mut sections = self.sections.iter();
        let table = sections.find(|section| section.sh_type(LE) == SHT_SYMTAB)?;
        let table = Some(table).filter(|section| Self::is_readable(section))?;
        let symbols: &[Sym64<LE>] = table.data_as_array(LE, self.data).ok()?;
        let strings = self.sections.strings(LE, self.data, table.link(LE)).ok()?;
        let covers = |symbol: &&Sym64<LE>| {
            symbol.st_type() == STT_FUNC
                && address
                    .checked_sub(symbol.st_value(LE))
                    .is_some_and(|offset| offset < symbol.st_size(LE))
        };
        let mut stretches = symbols.chunks(STRETCH).take_while(|_| !self.is_late());
        let symbol = stretches.find_map(|stretch| stretch.iter().find(covers))?;
        let name = symbol.name(LE, strings).ok()?;
        Some((name.to_owned(), address - symbol.st_value(LE)))
    }

    #[cfg(feature = "symbols")]
    fn line_at(&self, address: u64) -> Option<(Vec<u8>, u64)> {
        let lines = self.section(b".debug_line")?;
        let strings = self.section(b".debug_line_str").unwrap_or_default();
        lines::find(lines, strings, address, || self.is_late())
    }

    #[cfg(not(feature = "symbols"))]
    const fn line_at(&self, _address: u64) -> Option<(Vec<u8>, u64)> {
        None
    }

    #[cfg(feature = "symbols")]
    fn section(&self, name: &[u8]) -> Option<&'a [u8]> {
        let (_, section) = self.sections.section_by_name(LE, name)?;
        Some(section).filter(|section| Self::is_readable(section))?.data(LE, self.data).ok()
    }
}

#[cfg(test)]
mod tests;
