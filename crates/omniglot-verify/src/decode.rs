//! Decodes one instruction, strictly.
//!
//! This is no disassembler. It knows the opcode forms of [`forms`](crate::forms) and nothing else,
//! and each form in one encoding only. Prefixes may be in any order, each at most once, and only
//! where the form gives them a meaning. REX comes last, and each of its bits must have a meaning. A
//! VEX prefix must be the shortest possible. So nothing depends on encodings that compilers do not
//! emit, on which processors have been found to disagree.

use crate::forms::{self, FORMS, Form, GROUPS, Kind};
use crate::refusal::Rule;

/// Bytes that may begin with an instruction. The longest instruction has 15 bytes.
pub(crate) type Window = [u8; 16];

/// Prefixes of an instruction, one bit each.
pub(crate) const GS: u8 = 1;
/// The operand size prefix.
pub(crate) const O16: u8 = 2;
/// The address size prefix.
pub(crate) const A32: u8 = 4;
pub(crate) const LOCK: u8 = 8;
pub(crate) const REPNE: u8 = 16;
pub(crate) const REP: u8 = 32;

/// The register number of RSP and its parts.
pub(crate) const SP: u8 = 4;

/// The kind of a memory operand's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// There is no memory operand.
    None,
    /// Relative to the next instruction.
    Relative,
    /// The displacement alone, of 32 bits.
    Absolute,
    /// RSP (or ESP) plus a displacement.
    Stack,
    /// Anything else: other registers plus a displacement.
    Registers,
}

/// A decoded instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instruction {
    pub(crate) length: u8,
    pub(crate) form: Form,
    /// The opcode map, numbered as in [`FORMS`], and the opcode's last byte.
    pub(crate) map: u8,
    pub(crate) opcode: u8,
    /// The middle field of the ModRM byte: a register or a digit of the opcode.
    pub(crate) digit: u8,
    pub(crate) prefixes: u8,
    pub(crate) is_wide: bool,
    pub(crate) memory: Memory,
    pub(crate) displacement: i32,
    pub(crate) immediate: i32,
    /// True if it explicitly writes RSP or a part of it.
    pub(crate) writes_sp: bool,
}

/// The state while an instruction is decoded.
struct Reader<'a> {
    window: &'a Window,
    /// The result so far.
    into: &'a mut Instruction,
    at: usize,
    prefixes: u8,
    /// The bits of REX, or VEX's bits of the same names: W, R, X, B from the highest.
    rex: u8,
    has_rex: bool,
    /// Those of the bits in `rex` that have a meaning for this instruction.
    meant: u8,
    /// The register in ModRM's register-or-memory field, without REX's bit. 0 if the operand is
    /// memory.
    in_place: u8,
}

const REX_B: u8 = 1;
const REX_X: u8 = 2;
const REX_R: u8 = 4;
const REX_W: u8 = 8;

impl Instruction {
    /// Initial contents for [`decode`].
    pub(crate) const EMPTY: Self = Self {
        length: 0,
        form: forms::REFUSED,
        map: 0,
        opcode: 0,
        digit: 0,
        prefixes: 0,
        is_wide: false,
        memory: Memory::None,
        displacement: 0,
        immediate: 0,
        writes_sp: false,
    };
}

/// Decodes an instruction into `into`, which avoids a copy.
///
/// # Errors
/// The rule that it breaks: it is no allowed form, or not in the form's one encoding. The caller
/// checks that the instruction fits into the rest of the text.
#[inline]
pub(crate) fn decode(window: &Window, into: &mut Instruction) -> Result<(), Rule> {
    *into = Instruction::EMPTY;
    let mut reader =
        Reader { window, into, at: 0, prefixes: 0, rex: 0, has_rex: false, meant: 0, in_place: 0 };
    let first = reader.prefixes()?;
    match first {
        0xc4 | 0xc5 => reader.vex(first),
        _ => reader.legacy(first),
    }
}

impl Reader<'_> {
    #[inline]
    fn byte(&mut self) -> u8 {
        let byte = self.window[self.at & 15];
        self.at += 1;
        byte
    }

    /// Reads a sign-extended number of zero, one, two or four bytes.
    #[inline]
    fn number(&mut self, size: usize) -> i32 {
        match size {
            0 => 0,
            1 => i32::from(self.byte().cast_signed()),
            2 => i32::from(i16::from_le_bytes([self.byte(), self.byte()])),
            _ => i32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()]),
        }
    }

    const fn has(&self, prefix: u8) -> bool {
        self.prefixes & prefix != 0
    }

    /// Reads prefixes and REX, and returns the opcode byte that follows.
    #[inline]
    fn prefixes(&mut self) -> Result<u8, Rule> {
        loop {
            let byte = self.byte();
            // Of the last three, which exclude each other, at most one is allowed.
            let (prefix, excluded) = match byte {
                0x65 => (GS, GS),
                0x66 => (O16, O16),
                0x67 => (A32, A32),
                0xf0 => (LOCK, LOCK | REP | REPNE),
                0xf2 => (REPNE, LOCK | REP | REPNE),
                0xf3 => (REP, LOCK | REP | REPNE),
                0x40..=0x4f => {
                    self.rex = byte & 15;
                    self.has_rex = true;
                    return Ok(self.byte());
                }
                opcode => return Ok(opcode),
            };
            if self.has(excluded) {
                return Err(Rule::Prefix);
            }
            self.prefixes |= prefix;
        }
    }

    const fn mandatory(&self) -> usize {
        match self.prefixes & (O16 | REP | REPNE) {
            O16 => forms::P66,
            prefixes if prefixes & REP != 0 => forms::PF3,
            prefixes if prefixes & REPNE != 0 => forms::PF2,
            _ => forms::NP,
        }
    }

    #[inline]
    fn legacy(&mut self, first: u8) -> Result<(), Rule> {
        let (map, opcode) = match first {
            0x0f => match self.byte() {
                0x38 => (forms::THREE_38, self.byte()),
                0x3a => (forms::THREE_3A, self.byte()),
                opcode => (forms::TWO, opcode),
            },
            opcode => (forms::ONE, opcode),
        };
        self.operands(map, opcode, FORMS[map][self.mandatory()][usize::from(opcode)])?;
        self.check_sizes()?;
        self.check_rex()
    }

    /// Checks that operand size prefix and REX.W are there only if they have a meaning.
    #[inline]
    fn check_sizes(&self) -> Result<(), Rule> {
        let Instruction { form, map, is_wide, .. } = *self.into;
        let is_mandatory =
            map as usize != forms::ONE && !form.has(forms::O16) && !self.has(REP | REPNE);
        let is_size = self.has(O16) && !is_mandatory;
        // The rule for string groups reads string instructions byte by byte.
        let is_string = form.kind == Kind::String;
        if is_size && !is_string && (!form.has(forms::O16) || is_wide) {
            return Err(Rule::Prefix);
        }
        if is_wide && !is_string && !form.has(forms::W) || form.has(forms::ALWAYS_W) && !is_wide {
            return Err(Rule::Rex);
        }
        Ok(())
    }

    /// Checks that each bit of REX has a meaning. REX without any bit is for a byte register that
    /// needs it.
    #[inline]
    fn check_rex(&self) -> Result<(), Rule> {
        if !self.has_rex {
            return Ok(());
        }
        let Instruction { form, opcode, digit, .. } = *self.into;
        let needs = |flag, number: u8| form.has(flag) && (4..8).contains(&number);
        let in_reg = if form.has(forms::OP) { opcode & 7 } else { digit };
        let is_for_byte = needs(forms::BYTE_REG, in_reg) || needs(forms::BYTE_RM, self.in_place);
        // `check_sizes` has already checked W.
        let meant = self.meant | REX_W;
        if self.rex & !meant != 0 || self.rex == 0 && !is_for_byte {
            return Err(Rule::Rex);
        }
        Ok(())
    }

    #[inline]
    fn vex(&mut self, first: u8) -> Result<(), Rule> {
        if self.has(O16 | LOCK | REP | REPNE) || self.has_rex {
            return Err(Rule::Prefix);
        }
        let one = self.byte();
        let (map, last) =
            if first == 0xc5 { (1, one) } else { (usize::from(one & 31), self.byte()) };
        // All fields but W, L and the prefix are stored inverted.
        self.rex = if first == 0xc5 { (!one >> 7) << 2 } else { (last >> 7) << 3 | !one >> 5 };
        let is_short = self.rex & (REX_W | REX_X | REX_B) == 0 && map == 1;
        if first == 0xc4 && is_short {
            return Err(Rule::Vex);
        }
        if !(1..=3).contains(&map) {
            return Err(Rule::Opcode);
        }
        let opcode = self.byte();
        let map = forms::VEX + map;
        let form = FORMS[map][usize::from(last & 3)][usize::from(opcode)];
        self.operands(map, opcode, form)?;
        self.check_vex(last)?;
        let vvvv = !last >> 3 & 15;
        self.into.writes_sp |= self.into.form.has(forms::VVVV_W) && vvvv == SP;
        Ok(())
    }

    /// Checks that each field of VEX has a meaning, or has its neutral value.
    fn check_vex(&self, last: u8) -> Result<(), Rule> {
        let Instruction { form, map, opcode, immediate, is_wide, memory, .. } = *self.into;
        let (is_long, vvvv) = (last & 4 != 0, !last >> 3 & 15);
        let may_be_long = form.has(forms::L1) && !forms::is_scalar_fma(map.into(), opcode);
        let has_vvvv =
            form.has(forms::VVVV) || form.has(forms::VVVV_REGISTERS) && memory == Memory::None;
        let is_right = (may_be_long || !is_long)
            && (is_long || !form.has(forms::ALWAYS_L))
            && (!form.has(forms::IMM_REG) || immediate & 15 == 0)
            && (has_vvvv || vvvv == 0)
            && (form.has(forms::W) || !is_wide)
            && (is_wide || !form.has(forms::ALWAYS_W))
            && self.rex & !(self.meant | REX_W) == 0;
        if is_right { Ok(()) } else { Err(Rule::Vex) }
    }

    /// Reads the ModRM byte, the displacement and the immediate.
    #[inline]
    fn operands(&mut self, map: usize, opcode: u8, form: Form) -> Result<(), Rule> {
        self.into.form = form;
        self.into.map = map as u8;
        self.into.opcode = opcode;
        self.into.prefixes = self.prefixes;
        self.into.is_wide = self.rex & REX_W != 0;
        if form.has(forms::MODRM) {
            self.modrm()?;
        } else if form.has(forms::OP) {
            self.meant |= REX_B;
            let register = opcode & 7 | (self.rex & REX_B) << 3;
            self.into.writes_sp =
                form.has(forms::OP_W) && self.is_sp(register, forms::BYTE_REG, form);
        }
        let form = self.into.form;
        match form.kind {
            Kind::Refused => return Err(Rule::Opcode),
            Kind::Indirect => return Err(Rule::Indirect),
            Kind::Return => return Err(Rule::Return),
            _ => {}
        }
        if self.has(LOCK) && !(form.has(forms::LOCK) && self.into.memory != Memory::None) {
            return Err(Rule::Prefix);
        }
        if self.has(GS | A32) && self.into.memory == Memory::None {
            return Err(Rule::Prefix);
        }
        self.immediate();
        if self.at > 15 {
            return Err(Rule::Opcode);
        }
        self.into.length = self.at as u8;
        Ok(())
    }

    #[inline]
    fn modrm(&mut self) -> Result<(), Rule> {
        let modrm = self.byte();
        let digit = modrm >> 3 & 7;
        let mut form = self.into.form;
        if form.kind == Kind::Group {
            form = GROUPS[usize::from(form.digits) % GROUPS.len()][usize::from(digit)];
        }
        self.into.form = form;
        self.into.digit = digit;
        if form.kind == Kind::X87 {
            if !forms::is_x87_allowed(self.into.opcode, modrm) {
                return Err(Rule::Opcode);
            }
        } else if form.has(forms::REG) {
            self.meant |= REX_R;
            let register = digit | (self.rex & REX_R) << 1;
            self.into.writes_sp =
                form.has(forms::REG_W) && self.is_sp(register, forms::BYTE_REG, form);
        } else if form.digits >> digit & 1 == 0 {
            return Err(Rule::Opcode);
        }
        if modrm >= 0xc0 {
            return self.register(modrm);
        }
        if form.has(forms::REGISTER) {
            return Err(if form.has(forms::FIXED) { Rule::Opcode } else { Rule::Operand });
        }
        self.memory(modrm);
        if self.into.memory == Memory::None { Err(Rule::Spelling) } else { Ok(()) }
    }

    /// Handles a register in ModRM's register-or-memory field.
    #[inline]
    fn register(&mut self, modrm: u8) -> Result<(), Rule> {
        let form = self.into.form;
        if form.has(forms::MEMORY) {
            return Err(Rule::Operand);
        }
        if form.has(forms::FIXED) {
            return if modrm & 7 == 0 { Ok(()) } else { Err(Rule::Spelling) };
        }
        if form.kind != Kind::X87 {
            self.meant |= REX_B;
        }
        self.in_place = modrm & 7;
        let register = self.in_place | (self.rex & REX_B) << 3;
        self.into.writes_sp |= form.has(forms::RM_W) && self.is_sp(register, forms::BYTE_RM, form);
        Ok(())
    }

    /// Returns true if a register is RSP or a part of it. A byte register is so only with REX:
    /// without it, the number is AH's.
    const fn is_sp(&self, register: u8, byte: u32, form: Form) -> bool {
        register == SP && (self.has_rex || !form.has(byte))
    }

    /// Reads the SIB byte and the displacement. Leaves `Memory::None` if the encoding is not the
    /// one that is allowed.
    #[inline]
    fn memory(&mut self, modrm: u8) {
        let (form, base) = (modrm >> 6, modrm & 7);
        let size = [0, 1, 4][usize::from(form) % 3];
        if base == 4 {
            return self.sib(form, size);
        }
        if base == 5 && form == 0 {
            self.into.memory = Memory::Relative;
            self.into.displacement = self.number(4);
            return;
        }
        self.meant |= REX_B;
        self.into.memory = Memory::Registers;
        self.into.displacement = self.number(size);
    }

    #[inline]
    fn sib(&mut self, form: u8, size: usize) {
        let sib = self.byte();
        let (scale, base) = (sib >> 6, sib & 7);
        // Number 4 means no index, but with REX.X it is r12.
        let index = sib >> 3 & 7 | (self.rex & REX_X) << 2;
        let has_index = index != 4;
        let has_base = !(base == 5 && form == 0);
        self.meant |= REX_X | if has_base { REX_B } else { 0 };
        self.into.displacement = self.number(if has_base { size } else { 4 });
        self.into.memory = match (has_base, has_index) {
            (_, true) => Memory::Registers,
            // A scale without an index has no meaning.
            (_, false) if scale != 0 => Memory::None,
            (false, false) => Memory::Absolute,
            (true, false) if base == SP && self.rex & REX_B == 0 => Memory::Stack,
            // Otherwise only r12 needs this byte.
            (true, false) if base == SP => Memory::Registers,
            (true, false) => Memory::None,
        };
    }

    #[inline]
    fn immediate(&mut self) {
        let form = self.into.form;
        let narrow = self.has(O16) && form.has(forms::O16);
        let size = if form.has(forms::IMM8) {
            1
        } else if form.has(forms::IMM32) {
            4
        } else if form.has(forms::IMMZ) {
            if narrow { 2 } else { 4 }
        } else if form.has(forms::IMMV) {
            if narrow {
                2
            } else {
                if self.into.is_wide {
                    self.at += 4;
                }
                4
            }
        } else {
            return;
        };
        self.into.immediate = self.number(size);
    }
}
