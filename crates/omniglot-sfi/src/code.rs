//! Decodes a section of code into instructions, and resolves what their operands refer to.

use iced_x86::{Decoder, DecoderOptions, Instruction};
use object::elf;

use crate::error::Problem;
use crate::linked::{Id, Linked, Target};
use crate::objects::Relocation;

/// An instruction of the object. Its address is its offset in the section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    pub(crate) instruction: Instruction,
    /// The meaning of its displacement, if that has a relocation.
    pub(crate) displacement: Option<Meaning>,
    /// The meaning of its immediate or branch distance, if that has a relocation.
    pub(crate) immediate: Option<Meaning>,
}

/// The meaning of a relocated operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// An address.
    Address(Target),
    /// A memory word that holds an address.
    Slot(Target),
    /// The offset of thread-local data from the thread pointer.
    ThreadOffset(Target),
    /// A memory word that holds such an offset.
    ThreadSlot(Target),
    /// The argument by which `__tls_get_addr` finds thread-local data, of one variable or a whole
    /// object.
    ThreadCall(Target),
}

/// A section's instructions.
pub(crate) struct Code {
    pub(crate) id: Id,
    pub(crate) sources: Vec<Source>,
}

impl Code {
    /// The index of the instruction that begins at an offset.
    pub(crate) fn index_of(&self, offset: u64) -> Option<usize> {
        self.sources.binary_search_by_key(&offset, |source| source.instruction.ip()).ok()
    }
}

/// Decodes a section. Invalid instructions are added to `problems`.
pub(crate) fn read(linked: &Linked, id: Id, problems: &mut Vec<Problem>) -> Code {
    let section = linked.section(id);
    let mut decoder = Decoder::with_ip(64, &section.bytes, 0, DecoderOptions::NONE);
    let mut relocations = section.relocations.as_slice();
    let mut sources = Vec::with_capacity(section.bytes.len() / 4);
    while decoder.can_decode() {
        let instruction = decoder.decode();
        if instruction.is_invalid() {
            problems.push(linked.problem(
                id,
                instruction.ip(),
                "these bytes are no instruction",
                "data among code is not supported: put it into a section of its own",
            ));
            break;
        }
        let offsets = decoder.get_constant_offsets(&instruction);
        let (start, end) = (instruction.ip(), instruction.next_ip());
        let mut source = Source { instruction, displacement: None, immediate: None };
        while let Some((first, rest)) = relocations.split_first()
            && first.offset < end
        {
            relocations = rest;
            let at = (first.offset - start.min(first.offset)) as usize;
            let place = match at {
                at if offsets.has_displacement() && at == offsets.displacement_offset() => {
                    &mut source.displacement
                }
                at if offsets.has_immediate() && at == offsets.immediate_offset() => {
                    &mut source.immediate
                }
                _ => {
                    problems.push(linked.problem(
                        id,
                        first.offset,
                        "a relocation is for a part of an instruction that is no operand",
                        "have the assembler write the instruction",
                    ));
                    continue;
                }
            };
            match meaning(linked, id.object, first, end) {
                Ok(meaning) => *place = Some(meaning),
                Err(what) => problems.push(linked.problem(
                    id,
                    first.offset,
                    what,
                    "compile with -mcmodel=small, as is usual",
                )),
            }
        }
        sources.push(source);
    }
    Code { id, sources }
}

/// Determines what the relocation of an operand means (x86-64 psABI, 4.4).
fn meaning(
    linked: &Linked,
    object: usize,
    relocation: &Relocation,
    end: u64,
) -> Result<Meaning, String> {
    let name = || linked.name_of(object, relocation);
    let resolved = linked.resolve(object, relocation.symbol);
    let Some(symbol) = resolved.or_else(|| (name() == THREAD_CALL).then_some(Target::Absolute(0)))
    else {
        return Err(format!("nobody defines {}", name()));
    };
    let absolute = symbol.plus(relocation.addend);
    // Distances count from the end of the instruction, which lies behind the field.
    let relative = absolute.plus((end - relocation.offset).cast_signed());
    let meaning = match relocation.kind {
        elf::R_X86_64_PC32 | elf::R_X86_64_PLT32 | elf::R_X86_64_PC64 => Meaning::Address(relative),
        elf::R_X86_64_64
        | elf::R_X86_64_32
        | elf::R_X86_64_32S
        | elf::R_X86_64_16
        | elf::R_X86_64_8 => Meaning::Address(absolute),
        elf::R_X86_64_GOTPCREL | elf::R_X86_64_GOTPCRELX | elf::R_X86_64_REX_GOTPCRELX => {
            Meaning::Slot(relative)
        }
        elf::R_X86_64_TPOFF32
        | elf::R_X86_64_DTPOFF32
        | elf::R_X86_64_TPOFF64
        | elf::R_X86_64_DTPOFF64 => Meaning::ThreadOffset(absolute),
        elf::R_X86_64_GOTTPOFF => Meaning::ThreadSlot(relative),
        elf::R_X86_64_TLSGD => Meaning::ThreadCall(relative),
        elf::R_X86_64_TLSLD => Meaning::ThreadCall(Target::Section(linked.thread, 0)),
        kind => return Err(format!("relocation {} of {} is not supported", kind.0, name())),
    };
    Ok(meaning)
}

/// The function that finds thread-local data in shared libraries. An image is linked statically, so
/// the call is never made.
pub(crate) const THREAD_CALL: &str = "__tls_get_addr";
