//! Determines which general registers and arithmetic flags an instruction reads and writes.

use iced_x86::{
    Instruction, InstructionInfoFactory, InstructionInfoOptions, Mnemonic, OpAccess, OpKind,
    Register, RflagsBits,
};

/// A set of registers and flags: registers at the bits of their numbers, flags from bit 16 on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Set(u32);

impl Set {
    pub(crate) const NONE: Self = Self(0);
    /// All six arithmetic flags.
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

    /// Converts iced's bits for CF, PF, AF, ZF, SF and OF, which are the lowest six.
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

    pub(crate) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns true if the set contains any flag.
    pub(crate) const fn has_flags(self) -> bool {
        !self.intersection(Self::FLAGS).is_empty()
    }
}

/// The effects of one instruction on registers and flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effects {
    pub(crate) reads: Set,
    /// Always written completely, so that the previous value is dead.
    pub(crate) kills: Set,
}

// Registers by their role in a call (x86-64 psABI, 3.2.3).
pub(crate) const ARGUMENTS: Set = Set::of(&[0, 1, 2, 6, 7, 8, 9, 10]);
pub(crate) const CALLER_SAVED: Set = Set::of(&[0, 1, 2, 6, 7, 8, 9, 10, 11]);
pub(crate) const CALLEE_SAVED: Set = Set::of(&[3, 4, 5, 12, 13, 14, 15]);
pub(crate) const RESULTS: Set = Set::of(&[0, 2]);

/// The number of a general register, whatever its width.
pub(crate) fn number(register: Register) -> Option<u8> {
    let full = register.full_register();
    (full.is_gpr64()).then(|| full.number() as u8)
}

/// Determines effects, and reuses the buffers that this takes.
pub(crate) struct EffectsReader(InstructionInfoFactory);

impl EffectsReader {
    pub(crate) fn new() -> Self {
        Self(InstructionInfoFactory::new())
    }

    /// What an instruction reads and kills, apart from the convention of a call or a return.
    pub(crate) fn effects(&mut self, instruction: &Instruction) -> Effects {
        let mut effects = Effects::default();
        let info = self.0.info_options(instruction, InstructionInfoOptions::NO_MEMORY_USAGE);
        for used in info.used_registers() {
            let Some(number) = number(used.register()) else { continue };
            let register = Set::of(&[number]);
            let is_whole = used.register().is_gpr32() || used.register().is_gpr64();
            match used.access() {
                OpAccess::Write if is_whole => effects.kills = effects.kills.union(register),
                OpAccess::Write | OpAccess::CondWrite | OpAccess::NoMemAccess => {}
                OpAccess::ReadWrite => {
                    effects.reads = effects.reads.union(register);
                    if is_whole {
                        effects.kills = effects.kills.union(register);
                    }
                }
                _ => effects.reads = effects.reads.union(register),
            }
        }
        effects.reads = effects.reads.union(Set::flags(instruction.rflags_read()));
        if !may_leave_flags(instruction) {
            effects.kills = effects.kills.union(Set::flags(instruction.rflags_modified()));
        }
        // What is both read and written, as by XCHG, is live before the instruction.
        effects
    }
}

/// Returns true if an instruction that writes flags may leave them unchanged: shifts by a number in
/// a register, which may be 0, and repeated comparisons, which may run zero times.
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
            // The processor uses 5 bits of the number, and 6 for 64-bit operands.
            let is_wide = instruction.op0_register().is_gpr64()
                || instruction.op0_kind() == OpKind::Memory
                    && instruction.memory_size().size() == 8;
            let bits = if is_wide { 0x3f } else { 0x1f };
            instruction.op1_kind() == OpKind::Register || instruction.immediate8() & bits == 0
        }
        Mnemonic::Shld | Mnemonic::Shrd => true,
        _ => instruction.is_string_instruction() && is_repeated,
    }
}
