//! What an instruction reads and writes, of what the rewriter may need: general registers and
//! the arithmetic flags.

use iced_x86::{
    Instruction, InstructionInfoFactory, InstructionInfoOptions, Mnemonic, OpAccess, OpKind,
    Register, RflagsBits,
};

/// A set of registers and flags: registers by their numbers, flags from bit 16 on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Set(u32);

impl Set {
    pub(crate) const NONE: Self = Self(0);
    /// All six flags.
    pub(crate) const FLAGS: Self = Self(0x3f << 16);

    pub(crate) const fn of(registers: &[u8]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < registers.len() {
            bits |= 1 << registers[at];
            at += 1;
        }
        Self(bits)
    }

    /// iced's bits for CF, PF, AF, ZF, SF, OF are the lowest six.
    fn flags(bits: u32) -> Self {
        const SIX: u32 = RflagsBits::CF
            | RflagsBits::PF
            | RflagsBits::AF
            | RflagsBits::ZF
            | RflagsBits::SF
            | RflagsBits::OF;
        Self((bits & SIX) << 16)
    }

    pub(crate) const fn has(self, register: u8) -> bool {
        self.0 >> register & 1 != 0
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether any flag is among them.
    pub(crate) const fn has_flags(self) -> bool {
        !self.common(Self::FLAGS).is_empty()
    }
}

/// What one instruction does to registers and flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effects {
    pub(crate) reads: Set,
    /// Surely and wholly written, so that what was there before does not matter.
    pub(crate) kills: Set,
}

// As the psABI names them (x86-64 psABI, 3.2.3).
pub(crate) const ARGUMENTS: Set = Set::of(&[0, 1, 2, 6, 7, 8, 9, 10]);
pub(crate) const CALLER_SAVED: Set = Set::of(&[0, 1, 2, 6, 7, 8, 9, 10, 11]);
pub(crate) const CALLEE_SAVED: Set = Set::of(&[3, 4, 5, 12, 13, 14, 15]);
pub(crate) const RESULTS: Set = Set::of(&[0, 2]);

/// The number of a general register, whatever its width.
pub(crate) fn number(register: Register) -> Option<u8> {
    let full = register.full_register();
    (full.is_gpr64()).then(|| full.number() as u8)
}

/// Tells effects; keeps the room that it needs for that.
pub(crate) struct Teller(InstructionInfoFactory);

impl Teller {
    pub(crate) fn new() -> Self {
        Self(InstructionInfoFactory::new())
    }

    /// What an instruction reads and kills, apart from what a call or a return means.
    pub(crate) fn effects(&mut self, instruction: &Instruction) -> Effects {
        let mut effects = Effects::default();
        let info = self.0.info_options(instruction, InstructionInfoOptions::NO_MEMORY_USAGE);
        for used in info.used_registers() {
            let Some(number) = number(used.register()) else { continue };
            let register = Set::of(&[number]);
            let is_whole = used.register().is_gpr32() || used.register().is_gpr64();
            match used.access() {
                OpAccess::Write if is_whole => effects.kills = effects.kills.and(register),
                OpAccess::Write | OpAccess::CondWrite | OpAccess::NoMemAccess => {}
                OpAccess::ReadWrite => {
                    effects.reads = effects.reads.and(register);
                    if is_whole {
                        effects.kills = effects.kills.and(register);
                    }
                }
                _ => effects.reads = effects.reads.and(register),
            }
        }
        effects.reads = effects.reads.and(Set::flags(instruction.rflags_read()));
        if !may_leave_flags(instruction) {
            effects.kills = effects.kills.and(Set::flags(instruction.rflags_modified()));
        }
        // What is both written and read, as by XCHG, is needed before.
        effects
    }
}

/// Whether an instruction that writes flags may leave them as they were: shifts by a number in a
/// register, which may be 0, and comparisons that are repeated, maybe no time.
fn may_leave_flags(instruction: &Instruction) -> bool {
    let is_repeated = instruction.has_rep_prefix() || instruction.has_repne_prefix();
    match instruction.mnemonic() {
        Mnemonic::Rol
        | Mnemonic::Ror
        | Mnemonic::Rcl
        | Mnemonic::Rcr
        | Mnemonic::Shl
        | Mnemonic::Shr
        | Mnemonic::Sar
        | Mnemonic::Sal => {
            instruction.op1_kind() == OpKind::Register || instruction.immediate8() & 0x1f == 0
        }
        Mnemonic::Shld | Mnemonic::Shrd => true,
        _ => instruction.is_string_instruction() && is_repeated,
    }
}
