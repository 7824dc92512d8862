//! Reads what loading and scanning need of an ELF file (System V ABI, AMD64 supplement, gABI).

use std::fmt;

use object::Endianness;
use object::elf::{
    DF_1_PIE, DF_STATIC_TLS, DF_TEXTREL, DT_FLAGS, DT_FLAGS_1, DT_NEEDED, DT_RPATH, DT_RUNPATH,
    DT_SONAME, DT_TEXTREL, DynamicTag, EM_X86_64, ET_DYN, ET_EXEC, FileHeader64, PF_W, PF_X,
    PT_GNU_STACK, PT_LOAD, PT_TLS,
};
use object::read::elf::{DynamicTable, ElfFile64, FileHeader, ProgramHeader};

use crate::find::Code;
use crate::symbols::{Import, Place, Symbols};

/// Why no runtime can load a file.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAnImage {
    /// The file is not 64-bit ELF, or is inconsistent. The text says how.
    Malformed(String),
    /// The file is for another processor. The number is its `e_machine`.
    OtherMachine(u16),
    /// The file is neither a program nor a shared library, but an object file, for example.
    OtherType,
}

impl fmt::Display for NotAnImage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => {
                write!(out, "not a 64-bit ELF file ({what}); give a shared library, such as a .so")
            }
            Self::OtherMachine(number) => write!(
                out,
                "for another processor than x86-64 (ELF machine {number}); give a library for \
                 x86-64"
            ),
            Self::OtherType => out.write_str(
                "neither a shared library nor a program; link it with `cc -shared` first",
            ),
        }
    }
}

impl std::error::Error for NotAnImage {}

/// The kind of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageKind {
    /// A shared library.
    SharedLibrary,
    /// A program. The dynamic linker refuses to load a program into another.
    Program,
}

/// Thread-local data, of which each thread has its own copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadLocals {
    /// The size in bytes for each thread.
    pub size: u64,
    /// The alignment in bytes.
    pub alignment: u64,
    /// True if the code needs the data in the static TLS block, next to the program's
    /// (`DF_STATIC_TLS`).
    pub is_static: bool,
}

/// A parsed ELF file.
#[derive(Debug)]
pub struct Image<'data> {
    file: ElfFile64<'data, Endianness>,
    dynamic: Vec<(DynamicTag, u64)>,
    table: DynamicTable<'data, FileHeader64<Endianness>>,
    symbols: Symbols,
    data: &'data [u8],
}

impl<'data> Image<'data> {
    /// Parses a file's bytes.
    ///
    /// # Errors
    /// [`NotAnImage`] if the file is nothing that could be loaded on x86-64.
    pub fn parse(data: &'data [u8]) -> Result<Self, NotAnImage> {
        let malformed = |error: object::Error| NotAnImage::Malformed(error.to_string());
        let file = ElfFile64::<Endianness>::parse(data).map_err(malformed)?;
        let (header, endian) = (file.elf_header(), file.endian());
        let machine = header.e_machine(endian);
        if machine != EM_X86_64 {
            return Err(NotAnImage::OtherMachine(machine.0));
        }
        if ![ET_DYN, ET_EXEC].contains(&header.e_type(endian)) {
            return Err(NotAnImage::OtherType);
        }
        let table = file.elf_dynamic_table().map_err(malformed)?;
        let dynamic = table.iter().map(|entry| (entry.tag, entry.val)).collect();
        let symbols = Symbols::read(&file, data);
        Ok(Self { file, dynamic, table, symbols, data })
    }

    /// The image's kind.
    #[must_use]
    pub fn kind(&self) -> ImageKind {
        let is_program = self.value(DT_FLAGS_1).is_some_and(|flags| flags & DF_1_PIE.0 != 0)
            || self.file.elf_header().e_type(self.file.endian()) == ET_EXEC
            || self.dynamic.is_empty();
        if is_program { ImageKind::Program } else { ImageKind::SharedLibrary }
    }

    /// The executable segments, at the addresses in the file.
    #[must_use]
    pub fn code(&self) -> Vec<Code<'data>> {
        let endian = self.file.endian();
        let segments = self.segments().filter(|segment| segment.p_type(endian) == PT_LOAD);
        let executable = segments.filter(|segment| segment.p_flags(endian).contains(PF_X));
        let code = executable.filter_map(|segment| {
            let bytes = segment.data(endian, self.data).ok()?;
            Some(Code { address: segment.p_vaddr(endian), bytes })
        });
        code.collect()
    }

    /// Returns true if the image has memory that is writable and executable at once, or code that
    /// is changed at load time.
    #[must_use]
    pub fn has_writable_code(&self) -> bool {
        let endian = self.file.endian();
        let both = self.segments().any(|segment| {
            let flags = segment.p_flags(endian);
            segment.p_type(endian) == PT_LOAD && flags.contains(PF_X) && flags.contains(PF_W)
        });
        both || self.value(DT_TEXTREL).is_some() || self.has_flag(DF_TEXTREL.0)
    }

    /// Returns true if the image requests an executable stack.
    #[must_use]
    pub fn has_executable_stack(&self) -> bool {
        let endian = self.file.endian();
        self.segments().any(|segment| {
            segment.p_type(endian) == PT_GNU_STACK && segment.p_flags(endian).contains(PF_X)
        })
    }

    /// The image's thread-local data, or `None` if it has none.
    #[must_use]
    pub fn thread_locals(&self) -> Option<ThreadLocals> {
        let endian = self.file.endian();
        let segment = self.segments().find(|segment| segment.p_type(endian) == PT_TLS)?;
        Some(ThreadLocals {
            size: segment.p_memsz(endian),
            alignment: segment.p_align(endian),
            is_static: self.has_flag(DF_STATIC_TLS.0),
        })
    }

    /// The name by which other files request the library (`DT_SONAME`).
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.texts(DT_SONAME).into_iter().next()
    }

    /// The names of the libraries that it needs (`DT_NEEDED`).
    #[must_use]
    pub fn needed(&self) -> Vec<String> {
        self.texts(DT_NEEDED)
    }

    /// The directories to search for needed libraries. `$ORIGIN` stands for the image's directory.
    #[must_use]
    pub fn search_path(&self) -> Vec<String> {
        let paths = match self.texts(DT_RUNPATH) {
            paths if paths.is_empty() => self.texts(DT_RPATH),
            paths => paths,
        };
        let places = paths.iter().flat_map(|path| path.split(':'));
        places.filter(|place| !place.is_empty()).map(str::to_owned).collect()
    }

    /// The symbols that it imports.
    #[must_use]
    pub fn imports(&self) -> &[Import] {
        &self.symbols.imports
    }

    /// The names of the symbols that it exports.
    #[must_use]
    pub fn exports(&self) -> &[String] {
        &self.symbols.exports
    }

    /// The names of functions whose implementation is chosen at load time (IFUNC).
    #[must_use]
    pub fn indirect_functions(&self) -> &[String] {
        &self.symbols.indirect
    }

    /// The addresses of functions, in ascending order, from symbols and unwind tables.
    #[must_use]
    pub fn function_starts(&self) -> &[u64] {
        &self.symbols.starts
    }

    /// The named function that contains `address`, or `None` if there is none.
    #[must_use]
    pub fn place(&self, address: u64) -> Option<Place<'_>> {
        self.symbols.place(address)
    }

    fn segments(&self) -> impl Iterator<Item = &'data object::elf::ProgramHeader64<Endianness>> {
        self.file.elf_program_headers().iter()
    }

    fn has_flag(&self, flag: u64) -> bool {
        self.value(DT_FLAGS).is_some_and(|flags| flags & flag != 0)
    }

    fn value(&self, tag: DynamicTag) -> Option<u64> {
        self.dynamic.iter().find(|entry| entry.0 == tag).map(|entry| entry.1)
    }

    fn texts(&self, tag: DynamicTag) -> Vec<String> {
        let entries = self.table.iter().filter(|entry| entry.tag == tag);
        let texts = entries.filter_map(|entry| self.table.string(entry).ok());
        texts.map(|text| String::from_utf8_lossy(text).into_owned()).collect()
    }
}
