//! The section that is being rewritten: what is known of it, the items that were written so far, and
//! what every kind of instruction needs.

use std::collections::BTreeMap;

use iced_x86::{ConstantOffsets, Encoder, Instruction, Register};

use crate::code::{Code, Meaning};
use crate::effects::Set;
use crate::flow::{FOR_JUMPS, Liveness};
use crate::item::{Fix, Item, Shape, Value};
use crate::linked::Linked;

/// Why an instruction cannot be rewritten, and the remedy.
pub(super) struct Unsupported(pub(super) String, pub(super) &'static str);

pub(super) type Result<T> = std::result::Result<T, Unsupported>;

/// The error that says so.
pub(super) fn unsupported<T>(what: impl Into<String>, remedy: &'static str) -> Result<T> {
    Err(Unsupported(what.into(), remedy))
}

/// A remedy.
pub(super) const AVOID: &str = "compile without what it comes from: an extension of the processor, an \
                     intrinsic, or inline assembly";

/// How the displacement of an instruction is filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It is complete, or absent.
    Number,
    /// It becomes an address.
    Absolute(Value),
    /// It becomes the distance from the instruction's end.
    Relative(Value),
}

/// Rewrites a section.
pub(super) struct Lower<'a> {
    pub(super) linked: &'a Linked,
    pub(super) code: &'a Code,
    pub(super) liveness: &'a Liveness,
    /// The registers and flags that are live after each instruction.
    pub(super) live_after: &'a [Set],
    pub(super) encoder: Encoder,
    pub(super) items: Vec<Item>,
    /// The index of the instruction that is being rewritten.
    pub(super) at: usize,
    /// True if the next instruction is a call that is not needed.
    pub(super) skips_call: bool,
}

/// The items of a section, and the first item of each instruction.
pub(crate) struct Lowered {
    pub(crate) items: Vec<Item>,
    pub(crate) firsts: Vec<usize>,
    /// For instructions where indirect jumps enter at another item than the first: that item.
    pub(crate) entries: BTreeMap<usize, usize>,
}

/// `addq %gs:BASE, %register`.
pub(super) fn add_base(register: u8) -> [u8; 9] {
    with_base(register, 0x03)
}

/// `subq %gs:BASE, %register`.
pub(super) fn subtract_base(register: u8) -> [u8; 9] {
    with_base(register, 0x2b)
}

fn with_base(register: u8, opcode: u8) -> [u8; 9] {
    let [a, b, c, d] = omniglot_verify::BASE.to_le_bytes();
    [0x65, 0x48 | (register >> 3) << 2, opcode, 0x04 | (register & 7) << 3, 0x25, a, b, c, d]
}

/// The 32-bit part of a 64-bit general register.
pub(super) fn low(register: Register) -> Register {
    match register.number() {
        number if register.is_gpr64() => Register::EAX + number as u32,
        _ => register,
    }
}

/// The general register of that number, of 32 bits.
pub(super) const fn register32(number: u8) -> Register {
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
    pub(super) fn item(&self) -> Item {
        Item::new(self.at)
    }

    /// The registers and flags that are live after the instruction.
    pub(super) fn needed(&self) -> Set {
        self.live_after.get(self.at).copied().unwrap_or(Set::FLAGS)
    }

    /// Returns a caller-saved register that is dead after the instruction. The caller excludes the
    /// operands of the instruction itself.
    pub(super) fn spare(&self, excluded: Set) -> Option<u8> {
        let taken = self.needed().union(excluded);
        FOR_JUMPS.into_iter().find(|register| !taken.has(*register))
    }

    /// Appends an instruction to an item. Relocated operands become fields to be filled in.
    pub(super) fn encode(
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

    pub(super) fn bytes_of(
        &mut self,
        instruction: &Instruction,
    ) -> Result<(Vec<u8>, ConstantOffsets)> {
        if let Err(error) = self.encoder.encode(instruction, 0) {
            let _ = self.encoder.take_buffer();
            return unsupported(format!("it cannot be encoded ({error})"), AVOID);
        }
        let offsets = self.encoder.get_constant_offsets();
        Ok((self.encoder.take_buffer(), offsets))
    }

    /// Appends a branch to an instruction of the same section, conditional or not.
    pub(super) fn push_branch(&mut self, condition: Option<u8>, to: usize) {
        let mut item = self.item();
        item.shape = Shape::Branch(condition, to);
        item.branches = true;
        self.items.push(item);
    }

    /// Appends an item of exactly these bytes.
    pub(super) fn push_bytes(&mut self, bytes: &[u8]) {
        let mut item = self.item();
        item.push(bytes);
        self.items.push(item);
    }

    /// `movl $address, %r32`.
    pub(super) fn push_address(&mut self, register: u8, value: Value) {
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
    pub(super) fn stop(&mut self) {
        let mut item = self.item();
        item.push(&STOP);
        item.branches = true;
        self.items.push(item);
    }

    pub(super) fn stop_here(&mut self) -> Result<()> {
        self.stop();
        Ok(())
    }
}
