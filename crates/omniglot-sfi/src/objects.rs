//! Relocatable objects as the rest of the crate uses them.

use object::elf;
use object::read::elf::{ElfFile64, FileHeader as _};
use object::{
    Endianness, Object as _, ObjectComdat as _, ObjectSection as _, ObjectSymbol as _,
    RelocationFlags, RelocationTarget, SectionFlags, SymbolFlags, SymbolSection,
};

use crate::error::Problem;

/// A parsed object.
#[derive(Debug)]
pub(crate) struct Object {
    /// The file name, with the archive member in parentheses.
    pub(crate) name: String,
    /// Indexed as in the file.
    pub(crate) sections: Vec<Section>,
    /// Indexed as in the file.
    pub(crate) symbols: Vec<Symbol>,
    /// Section groups of which one copy is kept among all objects (C++): signature and members.
    pub(crate) groups: Vec<(String, Vec<usize>)>,
}

/// The kind of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Code,
    ReadOnly,
    Data,
    Zero,
    /// Addresses of functions to run at start.
    Constructors,
    /// Contents that an image does not need.
    Ignored,
}

#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Empty if all bytes are zero.
    pub(crate) bytes: Vec<u8>,
    pub(crate) size: u64,
    pub(crate) align: u64,
    /// In ascending order of offsets.
    pub(crate) relocations: Vec<Relocation>,
}

impl Section {
    pub(crate) const NONE: Self = Self {
        name: String::new(),
        kind: Kind::Ignored,
        bytes: Vec::new(),
        size: 0,
        align: 1,
        relocations: Vec::new(),
    };
}

/// A field to be filled in with an address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Relocation {
    pub(crate) offset: u64,
    /// The type as in the x86-64 psABI.
    pub(crate) kind: elf::RelocationType,
    /// The index of the symbol in the same object.
    pub(crate) symbol: usize,
    pub(crate) addend: i64,
}

/// Where a symbol is defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    Undefined,
    Absolute(u64),
    /// Zeroed memory, allocated if nobody defines the symbol.
    Common {
        size: u64,
        align: u64,
    },
    /// An offset in a section of the same object.
    Section(usize, u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    Local,
    Weak,
    Global,
}

#[derive(Debug)]
pub(crate) struct Symbol {
    pub(crate) name: String,
    pub(crate) at: At,
    pub(crate) size: u64,
    pub(crate) binding: Binding,
    pub(crate) is_function: bool,
    /// True if it stands for a section.
    pub(crate) is_section: bool,
}

const COMPILE: &str = "compile it for x86-64 Linux, as a relocatable object, without LTO";

/// Parses an object.
pub(crate) fn read(name: &str, bytes: &[u8]) -> Result<Object, Problem> {
    let broken = |error: object::Error| {
        Problem::of_object(name, format!("is not an ELF object ({error})"), COMPILE)
    };
    let file = ElfFile64::<Endianness>::parse(bytes).map_err(broken)?;
    let header = file.elf_header();
    let endian = file.endian();
    if header.e_type(endian) != elf::ET_REL || header.e_machine(endian) != elf::EM_X86_64 {
        return Err(Problem::of_object(name, "is not a relocatable x86-64 object", COMPILE));
    }
    let mut object = Object {
        name: name.to_owned(),
        sections: Vec::new(),
        symbols: Vec::new(),
        groups: Vec::new(),
    };
    for section in file.sections() {
        put(&mut object.sections, section.index().0, read_section(name, &section)?);
    }
    for symbol in file.symbols() {
        put_symbol(&mut object.symbols, symbol.index().0, read_symbol(name, &symbol)?);
    }
    for group in file.comdats() {
        let signature = group.name().map_err(broken)?.to_owned();
        object.groups.push((signature, group.sections().map(|section| section.0).collect()));
    }
    check(&object)?;
    Ok(object)
}

/// The maximum size of a section, since no image is larger.
const LARGEST: u64 = 1 << 30;

/// Checks that section and symbol indices, offsets and sizes are valid.
fn check(object: &Object) -> Result<(), Problem> {
    let wrong = |what: String| Err(Problem::of_object(&object.name, what, COMPILE));
    for section in &object.sections {
        let is_short = !matches!(section.kind, Kind::Zero | Kind::Ignored)
            && section.bytes.len() as u64 != section.size;
        if section.size > LARGEST || is_short {
            return wrong(format!("{} has an impossible size", section.name));
        }
        for relocation in &section.relocations {
            if relocation.offset >= section.size || relocation.symbol >= object.symbols.len() {
                return wrong(format!(
                    "a relocation of {} is for a place outside of it",
                    section.name
                ));
            }
        }
    }
    let is_section = |number: usize| number < object.sections.len();
    for symbol in &object.symbols {
        let is_right = match symbol.at {
            At::Section(section, offset) => is_section(section) && offset <= LARGEST,
            At::Common { size, align } => size <= LARGEST && align <= LARGEST,
            At::Undefined | At::Absolute(_) => true,
        };
        if !is_right {
            return wrong(format!("the symbol {} has no valid section", symbol.name));
        }
    }
    if !object.groups.iter().all(|(_, members)| members.iter().all(|member| is_section(*member))) {
        return wrong("a group has a section that is none".to_owned());
    }
    Ok(())
}

/// Stores a section at its index, and fills gaps with empty sections.
fn put(sections: &mut Vec<Section>, at: usize, section: Section) {
    sections.resize_with(sections.len().max(at + 1), || Section::NONE);
    if let Some(place) = sections.get_mut(at) {
        *place = section;
    }
}

fn put_symbol(symbols: &mut Vec<Symbol>, at: usize, symbol: Symbol) {
    let none = || Symbol {
        name: String::new(),
        at: At::Absolute(0),
        size: 0,
        binding: Binding::Local,
        is_function: false,
        is_section: false,
    };
    symbols.resize_with(symbols.len().max(at + 1), none);
    if let Some(place) = symbols.get_mut(at) {
        *place = symbol;
    }
}

type ElfSection<'a, 'f> = object::read::elf::ElfSection64<'a, 'f, Endianness>;
type ElfSymbol<'a, 'f> = object::read::elf::ElfSymbol64<'a, 'f, Endianness>;

fn read_section(object: &str, section: &ElfSection<'_, '_>) -> Result<Section, Problem> {
    let broken = |error: object::Error| {
        Problem::of_object(object, format!("has a section that cannot be read ({error})"), COMPILE)
    };
    let name = section.name().map_err(broken)?.to_owned();
    let SectionFlags::Elf { sh_type, sh_flags, .. } = section.flags() else {
        return Ok(Section::NONE);
    };
    let kind = kind(&name, sh_type, sh_flags);
    if kind == Kind::Ignored {
        return Ok(Section { name, ..Section::NONE });
    }
    let bytes =
        if kind == Kind::Zero { Vec::new() } else { section.data().map_err(broken)?.to_vec() };
    let mut relocations = Vec::new();
    for (offset, relocation) in section.relocations() {
        let (RelocationFlags::Elf { r_type }, RelocationTarget::Symbol(symbol)) =
            (relocation.flags(), relocation.target())
        else {
            continue;
        };
        if r_type != elf::R_X86_64_NONE {
            let addend = relocation.addend();
            relocations.push(Relocation { offset, kind: r_type, symbol: symbol.0, addend });
        }
    }
    relocations.sort_by_key(|relocation| relocation.offset);
    let (size, align) = (section.size(), section.align().max(1));
    if !align.is_power_of_two() || align > 4096 {
        return Err(Problem::of_object(
            object,
            format!("{name} must be aligned to {align} bytes"),
            "the most is 4096",
        ));
    }
    Ok(Section { name, kind, bytes, size, align, relocations })
}

fn kind(name: &str, kind: elf::SectionType, flags: elf::SectionFlags) -> Kind {
    let has = |flag: elf::SectionFlags| flags.0 & flag.0 != 0;
    match kind {
        _ if !has(elf::SHF_ALLOC) || name.starts_with(".eh_frame") || name.starts_with(".note") => {
            Kind::Ignored
        }
        elf::SHT_NOBITS => Kind::Zero,
        elf::SHT_INIT_ARRAY => Kind::Constructors,
        // Functions to run at exit: a region is discarded instead. Unwind tables.
        elf::SHT_FINI_ARRAY | elf::SHT_X86_64_UNWIND => Kind::Ignored,
        _ if has(elf::SHF_EXECINSTR) => Kind::Code,
        _ if name.starts_with(".ctors") => Kind::Constructors,
        _ if name.starts_with(".dtors") || name.starts_with(".gcc_except_table") => Kind::Ignored,
        // Their relocations are applied when the image is made.
        _ if !has(elf::SHF_WRITE) || name.starts_with(".data.rel.ro") => Kind::ReadOnly,
        _ => Kind::Data,
    }
}

fn read_symbol(object: &str, symbol: &ElfSymbol<'_, '_>) -> Result<Symbol, Problem> {
    let broken = |error: object::Error| {
        Problem::of_object(object, format!("has a symbol that cannot be read ({error})"), COMPILE)
    };
    let name = symbol.name().map_err(broken)?.to_owned();
    let SymbolFlags::Elf { st_info, .. } = symbol.flags() else {
        return Err(Problem::of_object(object, "is not an ELF object", COMPILE));
    };
    let kind = st_info.st_type();
    if kind == elf::STT_GNU_IFUNC {
        return Err(Problem::of_object(
            object,
            format!("the implementation of {name} is chosen at load time (IFUNC)"),
            "build the library without such functions",
        ));
    }
    let at = match symbol.section() {
        SymbolSection::Undefined => At::Undefined,
        SymbolSection::Common => At::Common { size: symbol.size(), align: symbol.address().max(1) },
        SymbolSection::Section(section) => At::Section(section.0, symbol.address()),
        _ => At::Absolute(symbol.address()),
    };
    let binding = match st_info.st_bind() {
        elf::STB_LOCAL => Binding::Local,
        elf::STB_WEAK => Binding::Weak,
        _ => Binding::Global,
    };
    Ok(Symbol {
        name,
        at,
        size: symbol.size(),
        binding,
        is_function: kind == elf::STT_FUNC,
        is_section: kind == elf::STT_SECTION,
    })
}
