//! One instruction, read strictly.
//!
//! This is no disassembler: it knows the opcode forms of [`forms`](crate::forms) and nothing
//! else, and each of them in one spelling. Prefixes may stand in any order, each at most once,
//! and only where the form gives them a meaning; REX is last, and each of its bits means
//! something; a VEX prefix is the shorter one that does. So nothing depends on what processors do
//! with bytes that compilers do not write, about which they have been found to disagree.

use crate::forms::{self, FORMS, Form, GROUPS, Kind};
use crate::refusal::Rule;

/// Bytes that may be one instruction: the longest has 15.
pub(crate) type Window = [u8; 16];

/// The prefixes of an instruction, a bit each.
pub(crate) const GS: u8 = 1;
/// Operand size.
pub(crate) const O16: u8 = 2;
/// Address size.
pub(crate) const A32: u8 = 4;
pub(crate) const LOCK: u8 = 8;
pub(crate) const REPNE: u8 = 16;
pub(crate) const REP: u8 = 32;

/// RSP and its parts, as instructions number registers.
pub(crate) const SP: u8 = 4;

/// Where a memory operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// There is none.
    None,
    /// At a distance from the next instruction.
    Relative,
    /// At the displacement, with 32 bits of it.
    Absolute,
    /// At RSP (or ESP) and a displacement.
    Stack,
    /// Whatever else: some registers and a displacement.
    Registers,
}

/// An instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instruction {
    pub(crate) length: u8,
    pub(crate) form: Form,
    /// The opcode's map, as [`FORMS`] numbers them, and its last byte.
    pub(crate) map: u8,
    pub(crate) opcode: u8,
    /// The register or digit in the middle of the ModRM byte.
    pub(crate) digit: u8,
    pub(crate) prefixes: u8,
    pub(crate) is_wide: bool,
    pub(crate) memory: Memory,
    pub(crate) displacement: i32,
    pub(crate) immediate: i32,
    /// Whether RSP or a part of it is a register that it writes explicitly.
    pub(crate) writes_sp: bool,
}

/// What has been read of an instruction, and what is allowed of it.
struct Reader<'a> {
    window: &'a Window,
    /// What was found so far.
    into: &'a mut Instruction,
    at: usize,
    prefixes: u8,
    /// REX's bits, or VEX's of the same names: W, R, X, B from the highest.
    rex: u8,
    has_rex: bool,
    /// Which of them mean something.
    meant: u8,
    /// The register in place of memory, without REX's bit; 0 for memory.
    in_place: u8,
}

const REX_B: u8 = 1;
const REX_X: u8 = 2;
const REX_R: u8 = 4;
const REX_W: u8 = 8;

impl Instruction {
    /// Room for one.
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

/// Reads an instruction into the room for one, which saves copying it.
///
/// # Errors
/// The rule that it breaks: it is no allowed form, or not spelt in the one way. That it fits into
/// what is left of the text is for the caller to see.
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

    /// A number of so many bytes, none, one, two or four, with its sign.
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

    /// Reads prefixes and REX; what comes behind is the opcode.
    #[inline]
    fn prefixes(&mut self) -> Result<u8, Rule> {
        loop {
            let byte = self.byte();
            // Of the last three, which mean each other's contrary, one at most.
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

    /// Operand size prefix and REX.W are there only where they mean something.
    #[inline]
    fn check_sizes(&self) -> Result<(), Rule> {
        let Instruction { form, map, is_wide, .. } = *self.into;
        let is_mandatory =
            map as usize != forms::ONE && !form.has(forms::O16) && !self.has(REP | REPNE);
        let is_size = self.has(O16) && !is_mandatory;
        // String instructions are read byte by byte by the rule for their group.
        let is_string = form.kind == Kind::String;
        if is_size && !is_string && (!form.has(forms::O16) || is_wide) {
            return Err(Rule::Prefix);
        }
        if is_wide && !is_string && !form.has(forms::W) || form.has(forms::ALWAYS_W) && !is_wide {
            return Err(Rule::Rex);
        }
        Ok(())
    }

    /// Each bit of REX means something; without any it is for a byte register that needs it.
    #[inline]
    fn check_rex(&self) -> Result<(), Rule> {
        if !self.has_rex {
            return Ok(());
        }
        let Instruction { form, opcode, digit, .. } = *self.into;
        let needs = |flag, number: u8| form.has(flag) && (4..8).contains(&number);
        let in_reg = if form.has(forms::OP) { opcode & 7 } else { digit };
        let is_for_byte = needs(forms::BYTE_REG, in_reg) || needs(forms::BYTE_RM, self.in_place);
        // That it is for W was checked before.
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
        // All but W, L and the prefix are inverted.
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

    /// Each field of VEX means something, or is as if it were not there.
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

    /// Reads ModRM byte, displacement and immediate.
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

    /// There is a register in place of memory.
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

    /// Whether a register is RSP or a part of it. As a byte it is so with REX only: without, its
    /// number is that of AH.
    const fn is_sp(&self, register: u8, byte: u32, form: Form) -> bool {
        register == SP && (self.has_rex || !form.has(byte))
    }

    /// Reads SIB byte and displacement; leaves no memory where the spelling is not the one.
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
        // Number 4 is no index; with REX.X it is r12.
        let index = sib >> 3 & 7 | (self.rex & REX_X) << 2;
        let has_index = index != 4;
        let has_base = !(base == 5 && form == 0);
        self.meant |= REX_X | if has_base { REX_B } else { 0 };
        self.into.displacement = self.number(if has_base { size } else { 4 });
        self.into.memory = match (has_base, has_index) {
            (_, true) => Memory::Registers,
            // A scale of no index means nothing.
            (_, false) if scale != 0 => Memory::None,
            (false, false) => Memory::Absolute,
            (true, false) if base == SP && self.rex & REX_B == 0 => Memory::Stack,
            // Only r12 needs this byte as well.
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
