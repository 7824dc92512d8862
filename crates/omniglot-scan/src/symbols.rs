//! Reads the symbols of an ELF file, and the start addresses of its functions.

use gimli::{BaseAddresses, EhFrameHdr, LittleEndian, Pointer};
use object::Endianness;
use object::elf::{
    FileHeader64, PT_GNU_EH_FRAME, SHN_UNDEF, STB_LOCAL, STB_WEAK, STT_FUNC, STT_GNU_IFUNC, Sym64,
};
use object::read::elf::{ElfFile64, ProgramHeader, Sym, SymbolTable};

type Table<'data> = SymbolTable<'data, FileHeader64<Endianness>>;

/// A symbol that an image imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Its name, without a version.
    pub name: String,
    /// True if the image works without it (a weak symbol).
    pub is_weak: bool,
}

/// A position in a named function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The function's name.
    pub symbol: &'a str,
    /// The offset in bytes from the function's start.
    pub offset: u64,
}

#[derive(Debug)]
struct Function {
    start: u64,
    size: u64,
    name: String,
}

#[derive(Debug, Default)]
pub(crate) struct Symbols {
    functions: Vec<Function>,
    pub(crate) starts: Vec<u64>,
    pub(crate) imports: Vec<Import>,
    pub(crate) exports: Vec<String>,
    pub(crate) indirect: Vec<String>,
}

impl Symbols {
    pub(crate) fn read(file: &ElfFile64<'_, Endianness>, data: &[u8]) -> Self {
        let mut symbols = Self::default();
        let endian = file.endian();
        let dynamic = file.elf_dynamic_symbol_table();
        for table in [dynamic, file.elf_symbol_table()] {
            let named =
                table.iter().filter_map(|symbol| Some((symbol, name(table, endian, symbol)?)));
            named.for_each(|(symbol, name)| symbols.function(endian, symbol, name));
        }
        let named =
            dynamic.iter().filter_map(|symbol| Some((symbol, name(dynamic, endian, symbol)?)));
        named.for_each(|(symbol, name)| symbols.linked(endian, symbol, name));
        symbols.functions.sort_by_key(|function| function.start);
        symbols.starts = symbols.functions.iter().map(|function| function.start).collect();
        symbols.starts.extend(unwind_starts(file, data));
        symbols.starts.sort_unstable();
        symbols.starts.dedup();
        symbols.indirect.sort_unstable();
        symbols.indirect.dedup();
        symbols
    }

    fn function(&mut self, endian: Endianness, symbol: &Sym64<Endianness>, name: String) {
        let kind = symbol.st_type();
        if symbol.st_shndx(endian) == SHN_UNDEF || ![STT_FUNC, STT_GNU_IFUNC].contains(&kind) {
            return;
        }
        if kind == STT_GNU_IFUNC {
            self.indirect.push(name.clone());
        }
        let (start, size) = (symbol.st_value(endian), symbol.st_size(endian));
        self.functions.push(Function { start, size, name });
    }

    fn linked(&mut self, endian: Endianness, symbol: &Sym64<Endianness>, name: String) {
        if symbol.st_bind() == STB_LOCAL {
            return;
        }
        if symbol.st_shndx(endian) == SHN_UNDEF {
            let is_weak = symbol.st_bind() == STB_WEAK;
            self.imports.push(Import { name, is_weak });
        } else {
            self.exports.push(name);
        }
    }

    pub(crate) fn place(&self, address: u64) -> Option<Place<'_>> {
        let before = self.functions.partition_point(|function| function.start <= address);
        let candidates = self.functions.get(..before)?.iter().rev();
        // If a function has several names, any of them will do.
        let function =
            candidates.take(8).find(|function| address - function.start < function.size)?;
        Some(Place { symbol: &function.name, offset: address - function.start })
    }
}

fn name(table: &Table<'_>, endian: Endianness, symbol: &Sym64<Endianness>) -> Option<String> {
    let name = table.symbol_name(endian, symbol).ok().filter(|name| !name.is_empty())?;
    Some(String::from_utf8_lossy(name).into_owned())
}

/// Function starts from `.eh_frame_hdr` (Linux Standard Base), which `strip` does not remove.
fn unwind_starts(file: &ElfFile64<'_, Endianness>, data: &[u8]) -> Vec<u64> {
    let endian = file.endian();
    let mut segments = file.elf_program_headers().iter();
    let segment = segments.find(|segment| segment.p_type(endian) == PT_GNU_EH_FRAME);
    let Some((segment, bytes)) = segment.and_then(|it| Some((it, it.data(endian, data).ok()?)))
    else {
        return Vec::new();
    };
    let bases = BaseAddresses::default().set_eh_frame_hdr(segment.p_vaddr(endian));
    let Ok(header) = EhFrameHdr::new(bytes, LittleEndian).parse(&bases, 8) else {
        return Vec::new();
    };
    let mut starts = Vec::new();
    if let Some(table) = header.table() {
        let mut entries = table.iter(&bases);
        // The table may claim more entries than there are; the reader then reports an error.
        while let Ok(Some((Pointer::Direct(start), _))) = entries.next() {
            starts.push(start);
        }
    }
    starts
}
