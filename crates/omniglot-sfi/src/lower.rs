//! Rewrites instructions one by one into what the verifier allows.
//!
//! Two rules make the result correct, not only safe. *Pointers are low*: foreign code's registers
//! and memory hold offsets from the region's base, so addresses have 32 bits. Only RSP and return
//! addresses contain the base. And *only dead registers are used*:
//! [`Liveness`](crate::flow::Liveness) says which are live.

mod branch;
mod flags;
mod lea;
mod memory;
mod special;
mod stack;
mod string;
mod touch;

use std::collections::BTreeMap;

use iced_x86::{
    ConstantOffsets, Encoder, FlowControl, Formatter, Instruction, IntelFormatter, Mnemonic,
    Register,
};

use crate::code::{Code, Meaning, Source};
use crate::effects::Set;
use crate::error::Problem;
use crate::flow::{FOR_JUMPS, Liveness};
use crate::item::{Fix, Item, Shape, Value};
use crate::linked::Linked;

pub(crate) use memory::Use;

/// Why an instruction cannot be rewritten, and the remedy.
pub(crate) struct Unsupported(String, &'static str);

type Result<T> = std::result::Result<T, Unsupported>;

fn unsupported<T>(what: impl Into<String>, remedy: &'static str) -> Result<T> {
    Err(Unsupported(what.into(), remedy))
}

const AVOID: &str = "compile without what it comes from: an extension of the processor, an \
                     intrinsic, or inline assembly";

/// What to do about instructions that cannot be rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// Report an error.
    Refuse,
    /// Replace the instruction by one that stops the library, and list it.
    Trap,
}

/// Rewrites a section.
pub(crate) struct Lower<'a> {
    linked: &'a Linked,
    code: &'a Code,
    liveness: &'a Liveness,
    /// The registers and flags that are live after each instruction.
    live_after: &'a [Set],
    encoder: Encoder,
    items: Vec<Item>,
    /// The index of the instruction that is being rewritten.
    at: usize,
    /// True if the next instruction is a call that is not needed.
    skips_call: bool,
}

/// The items of a section, and the first item of each instruction.
pub(crate) struct Lowered {
    pub(crate) items: Vec<Item>,
    pub(crate) firsts: Vec<usize>,
    /// For instructions where indirect jumps enter at another item than the first: that item.
    pub(crate) entries: BTreeMap<usize, usize>,
}

/// Rewrites a section. Instructions that cannot be rewritten are added to `problems`.
pub(crate) fn lower(
    linked: &Linked,
    code: &Code,
    liveness: &Liveness,
    unknown: Unknown,
    problems: &mut Vec<Problem>,
) -> Lowered {
    let mut lower = Lower {
        linked,
        code,
        liveness,
        live_after: liveness.live_after(code.id),
        encoder: Encoder::new(64),
        items: Vec::with_capacity(code.sources.len()),
        at: 0,
        skips_call: false,
    };
    let mut firsts = Vec::with_capacity(code.sources.len() + 1);
    let mut entries = BTreeMap::new();
    let mut formatter = IntelFormatter::new();
    for (at, source) in code.sources.iter().enumerate() {
        lower.at = at;
        let (flags, r11) = (liveness.restores(code.id, at), liveness.restores_r11(code.id, at));
        if flags || r11 {
            // Control from the previous instruction already has them, and skips the restoring.
            lower.push_branch(None, at);
            entries.insert(at, lower.items.len());
            if flags {
                lower.restore_flags();
            }
            if r11 {
                lower.restore_r11();
            }
        }
        let first = lower.items.len();
        firsts.push(first);
        if let Err(Unsupported(what, remedy)) = lower.one(source) {
            let offset = source.instruction.ip();
            let mut problem = linked.problem(code.id, offset, what, remedy);
            let mut text = String::new();
            formatter.format(&source.instruction, &mut text);
            problem.instruction = Some(text);
            problems.push(problem);
            lower.items.truncate(first);
            if unknown == Unknown::Trap {
                lower.stop();
            }
        }
    }
    // Ends the section with a stop if control could leave it there, so that it does not enter other
    // code.
    lower.at = code.sources.len();
    firsts.push(lower.items.len());
    lower.stop();
    let mut lowered = Lowered { items: Vec::new(), firsts, entries };
    touch::add(&mut lower, &mut lowered, problems);
    lowered
}

/// `addq %gs:BASE, %register`.
fn add_base(register: u8) -> [u8; 9] {
    with_base(register, 0x03)
}

/// `subq %gs:BASE, %register`.
fn subtract_base(register: u8) -> [u8; 9] {
    with_base(register, 0x2b)
}

fn with_base(register: u8, opcode: u8) -> [u8; 9] {
    let [a, b, c, d] = omniglot_verify::BASE.to_le_bytes();
    [0x65, 0x48 | (register >> 3) << 2, opcode, 0x04 | (register & 7) << 3, 0x25, a, b, c, d]
}

/// The 32-bit part of a 64-bit general register.
fn low(register: Register) -> Register {
    match register.number() {
        number if register.is_gpr64() => Register::EAX + number as u32,
        _ => register,
    }
}

const fn register32(number: u8) -> Register {
    match number {
        0 => Register::EAX,
        1 => Register::ECX,
        2 => Register::EDX,
        3 => Register::EBX,
        4 => Register::ESP,
        5 => Register::EBP,
        6 => Register::ESI,
        7 => Register::EDI,
        8 => Register::R8D,
        9 => Register::R9D,
        10 => Register::R10D,
        11 => Register::R11D,
        12 => Register::R12D,
        13 => Register::R13D,
        14 => Register::R14D,
        _ => Register::R15D,
    }
}

/// `UD2`.
const STOP: [u8; 2] = [0x0f, 0x0b];

impl Lower<'_> {
    /// Rewrites one instruction.
    fn one(&mut self, source: &Source) -> Result<()> {
        let instruction = &source.instruction;
        let skips_call = std::mem::take(&mut self.skips_call);
        if skips_call
            && matches!(instruction.flow_control(), FlowControl::Call | FlowControl::IndirectCall)
        {
            return Ok(());
        }
        if special::is_nothing(instruction) {
            return Ok(());
        }
        if let Some(result) = self.special(source) {
            return result;
        }
        match instruction.flow_control() {
            FlowControl::Next => {}
            FlowControl::Exception => return self.stop_here(),
            FlowControl::Interrupt if instruction.mnemonic() == Mnemonic::Int3 => {
                return self.stop_here();
            }
            _ => return self.branch(source),
        }
        if instruction.is_string_instruction() {
            return self.string(source);
        }
        if instruction.mnemonic() == Mnemonic::Lea {
            return self.lea(source);
        }
        if stack::names_sp(instruction) {
            return self.stack(source);
        }
        self.plain(source)
    }

    /// Rewrites an instruction of which only the operands matter.
    fn plain(&mut self, source: &Source) -> Result<()> {
        let mut item = self.item();
        let mut instruction = source.instruction;
        let using = self.confine(&mut instruction, source)?;
        self.encode(&mut item, &instruction, using, source.immediate)?;
        item.stack = stack::effect(&instruction);
        self.items.push(item);
        Ok(())
    }

    fn item(&self) -> Item {
        Item::new(self.at)
    }

    /// The registers and flags that are live after the instruction.
    fn needed(&self) -> Set {
        self.live_after.get(self.at).copied().unwrap_or(Set::FLAGS)
    }

    /// Returns a caller-saved register that is dead after the instruction. The caller excludes the
    /// operands of the instruction itself.
    fn spare(&self, excluded: Set) -> Option<u8> {
        let taken = self.needed().union(excluded);
        FOR_JUMPS.into_iter().find(|register| !taken.has(*register))
    }

    /// Appends an instruction to an item. Relocated operands become fields to be filled in.
    fn encode(
        &mut self,
        item: &mut Item,
        instruction: &Instruction,
        displacement: Use,
        immediate: Option<Meaning>,
    ) -> Result<()> {
        let start = item.bytes().len();
        let (bytes, offsets) = self.bytes_of(instruction)?;
        item.push(&bytes);
        if item.bytes().len() != start + bytes.len() {
            return unsupported("it is too long for a line", AVOID);
        }
        let end = (start + bytes.len()) as u8;
        if let Use::Absolute(value) | Use::Relative(value) = displacement {
            let end = matches!(displacement, Use::Relative(_)).then_some(end);
            let at = (start + offsets.displacement_offset()) as u8;
            item.fix(Fix { at, size: offsets.displacement_size() as u8, end, value });
        }
        if let Some(meaning) = immediate {
            let value = match meaning {
                Meaning::Address(target) => Value::Address(target),
                Meaning::ThreadOffset(target) => Value::FromThread(target),
                _ => return unsupported("its immediate has an unsupported relocation", AVOID),
            };
            let size = offsets.immediate_size() as u8;
            if size < 4 {
                return unsupported("an address does not fit into its immediate", AVOID);
            }
            item.fix(Fix {
                at: (start + offsets.immediate_offset()) as u8,
                size,
                end: None,
                value,
            });
        }
        Ok(())
    }

    fn bytes_of(&mut self, instruction: &Instruction) -> Result<(Vec<u8>, ConstantOffsets)> {
        if let Err(error) = self.encoder.encode(instruction, 0) {
            let _ = self.encoder.take_buffer();
            return unsupported(format!("it cannot be encoded ({error})"), AVOID);
        }
        let offsets = self.encoder.get_constant_offsets();
        Ok((self.encoder.take_buffer(), offsets))
    }

    /// Appends a branch to an instruction of the same section, conditional or not.
    fn push_branch(&mut self, condition: Option<u8>, to: usize) {
        let mut item = self.item();
        item.shape = Shape::Branch(condition, to);
        item.branches = true;
        self.items.push(item);
    }

    /// Appends an item of exactly these bytes.
    fn push_bytes(&mut self, bytes: &[u8]) {
        let mut item = self.item();
        item.push(bytes);
        self.items.push(item);
    }

    /// `movl $address, %r32`.
    fn push_address(&mut self, register: u8, value: Value) {
        let mut item = self.item();
        if register >= 8 {
            item.push(&[0x41]);
        }
        item.push(&[0xb8 | register & 7]);
        let at = item.bytes().len() as u8;
        item.push(&[0; 4]);
        item.fix(Fix { at, size: 4, end: None, value });
        self.items.push(item);
    }

    /// Appends an instruction that stops the library.
    fn stop(&mut self) {
        let mut item = self.item();
        item.push(&STOP);
        item.branches = true;
        self.items.push(item);
    }

    fn stop_here(&mut self) -> Result<()> {
        self.stop();
        Ok(())
    }
}
