//! Writes the image as an ELF file, since tools read that format.

use object::elf;
use object::endian::{LittleEndian as LE, U16, U32, U64};
use object::pod::bytes_of;
use omniglot_verify::layout::IMAGE_MIN;

use crate::layout::PAGE;

/// A range of whole pages with one protection.
pub(crate) struct Part {
    pub(crate) start: u64,
    /// The end of its contents in the file. The rest is zero.
    pub(crate) file_end: u64,
    pub(crate) end: u64,
    pub(crate) may_write: bool,
    pub(crate) may_execute: bool,
}

/// A symbol that others may look up.
#[derive(Clone, Debug)]
pub(crate) struct Export {
    pub(crate) name: String,
    pub(crate) at: u64,
    pub(crate) size: u64,
    pub(crate) is_function: bool,
}

pub(crate) struct File<'a> {
    /// The bytes of all parts, from the image's start.
    pub(crate) memory: &'a [u8],
    pub(crate) parts: Vec<Part>,
    pub(crate) symbols: Vec<Export>,
    pub(crate) entry: u64,
}

/// The names of the sections.
const SECTIONS: &[u8] = b"\0.symtab\0.strtab\0.shstrtab\0";
const SYMTAB_NAME: u32 = 1;
const STRTAB_NAME: u32 = 9;
const SHSTRTAB_NAME: u32 = 17;

const fn size<T>() -> u64 {
    size_of::<T>() as u64
}

impl File<'_> {
    /// The bytes of the file: headers in the first page, then the memory, then symbols.
    pub(crate) fn write(&self) -> Vec<u8> {
        let (symbols, names) = self.symbols();
        let symbols_at = PAGE + self.memory.len() as u64;
        let names_at = symbols_at + symbols.len() as u64;
        let sections_at = names_at + names.len() as u64;
        let headers_at = (sections_at + SECTIONS.len() as u64).next_multiple_of(8);
        let mut file = Vec::with_capacity(headers_at as usize + 256);
        file.extend_from_slice(bytes_of(&self.header(headers_at)));
        for part in &self.parts {
            file.extend_from_slice(bytes_of(&program(part)));
        }
        file.resize(PAGE as usize, 0);
        file.extend_from_slice(self.memory);
        file.extend_from_slice(&symbols);
        file.extend_from_slice(&names);
        file.extend_from_slice(SECTIONS);
        file.resize(headers_at as usize, 0);
        let none = section(0, elf::SHT_NULL, 0, 0);
        let mut table = section(SYMTAB_NAME, elf::SHT_SYMTAB, symbols_at, symbols.len());
        table.sh_link = U32::new(LE, 2);
        table.sh_info = U32::new(LE, 1);
        table.sh_entsize = U64::new(LE, size::<elf::Sym64<LE>>());
        let strings = section(STRTAB_NAME, elf::SHT_STRTAB, names_at, names.len());
        let own = section(SHSTRTAB_NAME, elf::SHT_STRTAB, sections_at, SECTIONS.len());
        for header in [none, table, strings, own] {
            file.extend_from_slice(bytes_of(&header));
        }
        file
    }

    fn header(&self, sections_at: u64) -> elf::FileHeader64<LE> {
        elf::FileHeader64 {
            e_ident: elf::Ident {
                magic: elf::ELFMAG,
                class: elf::ELFCLASS64,
                data: elf::ELFDATA2LSB,
                version: elf::EV_CURRENT,
                os_abi: elf::ELFOSABI_NONE,
                abi_version: 0,
                padding: [0; 7],
            },
            e_type: U16::new(LE, elf::ET_EXEC),
            e_machine: U16::new(LE, elf::EM_X86_64),
            e_version: U32::new(LE, 1),
            e_entry: U64::new(LE, self.entry),
            e_phoff: U64::new(LE, size::<elf::FileHeader64<LE>>()),
            e_shoff: U64::new(LE, sections_at),
            e_flags: U32::new(LE, elf::FileFlags(0)),
            e_ehsize: U16::new(LE, size::<elf::FileHeader64<LE>>() as u16),
            e_phentsize: U16::new(LE, size::<elf::ProgramHeader64<LE>>() as u16),
            e_phnum: U16::new(LE, self.parts.len() as u16),
            e_shentsize: U16::new(LE, size::<elf::SectionHeader64<LE>>() as u16),
            e_shnum: U16::new(LE, 4),
            e_shstrndx: U16::new(LE, elf::SymbolSection(3)),
        }
    }

    /// The symbol table and its string table.
    fn symbols(&self) -> (Vec<u8>, Vec<u8>) {
        let mut names = vec![0];
        let mut table = vec![0; size_of::<elf::Sym64<LE>>()];
        for symbol in &self.symbols {
            let kind = if symbol.is_function { elf::STT_FUNC } else { elf::STT_OBJECT };
            let entry = elf::Sym64::<LE> {
                st_name: U32::new(LE, names.len() as u32),
                st_info: elf::SymbolInfo::new(elf::STB_GLOBAL, kind),
                st_other: elf::SymbolOther(0),
                st_shndx: U16::new(LE, elf::SHN_ABS),
                st_value: U64::new(LE, symbol.at),
                st_size: U64::new(LE, symbol.size),
            };
            table.extend_from_slice(bytes_of(&entry));
            names.extend_from_slice(symbol.name.as_bytes());
            names.push(0);
        }
        (table, names)
    }
}

fn program(part: &Part) -> elf::ProgramHeader64<LE> {
    let mut flags = elf::PF_R.0;
    if part.may_write {
        flags |= elf::PF_W.0;
    }
    if part.may_execute {
        flags |= elf::PF_X.0;
    }
    elf::ProgramHeader64 {
        p_type: U32::new(LE, elf::PT_LOAD),
        p_flags: U32::new(LE, elf::ProgramFlags(flags)),
        p_offset: U64::new(LE, part.start - IMAGE_MIN + PAGE),
        p_vaddr: U64::new(LE, part.start),
        p_paddr: U64::new(LE, part.start),
        p_filesz: U64::new(LE, part.file_end - part.start),
        p_memsz: U64::new(LE, part.end - part.start),
        p_align: U64::new(LE, PAGE),
    }
}

fn section(name: u32, kind: elf::SectionType, at: u64, length: usize) -> elf::SectionHeader64<LE> {
    elf::SectionHeader64 {
        sh_name: U32::new(LE, name),
        sh_type: U32::new(LE, kind),
        sh_flags: U64::new(LE, elf::SectionFlags(0)),
        sh_addr: U64::new(LE, 0),
        sh_offset: U64::new(LE, at),
        sh_size: U64::new(LE, length as u64),
        sh_link: U32::new(LE, 0),
        sh_info: U32::new(LE, 0),
        sh_addralign: U64::new(LE, 8),
        sh_entsize: U64::new(LE, 0),
    }
}
