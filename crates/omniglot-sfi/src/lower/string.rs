//! Rewrites string instructions: their registers temporarily become addresses in the region.

use iced_x86::{Mnemonic, OpKind, Register};

use super::state::{AVOID, Lower, Result, add_base, unsupported};
use crate::code::Source;

const RDI: u8 = 7;
const RSI: u8 = 6;
/// How many instructions back to search for one that sets RCX.
const BACK: usize = 16;

impl Lower<'_> {
    pub(super) fn string(&mut self, source: &Source) -> Result<()> {
        let instruction = &source.instruction;
        let has = |kind| (0..instruction.op_count()).any(|o| instruction.op_kind(o) == kind);
        let (has_rdi, has_rsi) = (has(OpKind::MemoryESRDI), has(OpKind::MemorySegRSI));
        if !has_rdi && !has_rsi {
            return unsupported("it uses addresses of 32 bits, or a port", AVOID);
        }
        if matches!(instruction.segment_prefix(), Register::FS | Register::GS) {
            return unsupported("it uses a segment", AVOID);
        }
        let Some((opcode, width)) = opcode(instruction.mnemonic()) else {
            return unsupported("this string instruction is not supported", AVOID);
        };
        let is_repeated = instruction.has_rep_prefix() || instruction.has_repne_prefix();
        let is_comparison = matches!(opcode, 0xa6 | 0xae);
        let may_keep = is_comparison && is_repeated && !self.surely_repeats();
        if may_keep && self.needed().has_flags() {
            return unsupported(
                "it may compare zero bytes, and the flags from before it are then needed",
                "compile with -O2 rather than -Os, or compare with memcmp",
            );
        }
        let is_kept = !is_comparison && self.keep_flags();
        let mut item = self.item();
        for (register, has) in [(RDI, has_rdi), (RSI, has_rsi)] {
            if has {
                item.push(&[0x89, 0xc0 | register << 3 | register]);
                item.push(&add_base(register));
            }
        }
        match (instruction.has_rep_prefix(), instruction.has_repne_prefix()) {
            (true, _) => item.push(&[0xf3]),
            (_, true) => item.push(&[0xf2]),
            _ => {}
        }
        match width {
            2 => item.push(&[0x66]),
            8 => item.push(&[0x48]),
            _ => {}
        }
        item.push(&[if width == 1 { opcode } else { opcode + 1 }]);
        self.items.push(item);
        if is_kept {
            self.restore_flags();
        }
        for (register, has) in [(RDI, has_rdi), (RSI, has_rsi)] {
            if has {
                // movl %edi, %edi: pointers are low.
                self.push_bytes(&[0x89, 0xc0 | register << 3 | register]);
            }
        }
        Ok(())
    }

    /// Returns true if a nearby earlier instruction set RCX to a constant other than 0, and nothing
    /// branches in between.
    fn surely_repeats(&self) -> bool {
        let before = &self.code.sources[self.at.saturating_sub(BACK)..self.at];
        for source in before.iter().rev() {
            let instruction = &source.instruction;
            if instruction.flow_control() != iced_x86::FlowControl::Next {
                return false;
            }
            let is_rcx = instruction.op_count() > 0
                && instruction.op0_kind() == OpKind::Register
                && instruction.op0_register().full_register() == Register::RCX;
            if is_rcx {
                let is_constant = matches!(
                    instruction.op1_kind(),
                    OpKind::Immediate32
                        | OpKind::Immediate32to64
                        | OpKind::Immediate64
                        | OpKind::Immediate8to32
                        | OpKind::Immediate8to64
                );
                return is_constant
                    && matches!(instruction.mnemonic(), Mnemonic::Mov | Mnemonic::Or)
                    && instruction.immediate(1) != 0;
            }
        }
        false
    }
}

/// The opcode of the byte form, and the operand size in bytes.
fn opcode(mnemonic: Mnemonic) -> Option<(u8, u8)> {
    use Mnemonic as M;
    Some(match mnemonic {
        M::Movsb => (0xa4, 1),
        M::Movsw => (0xa4, 2),
        M::Movsd => (0xa4, 4),
        M::Movsq => (0xa4, 8),
        M::Cmpsb => (0xa6, 1),
        M::Cmpsw => (0xa6, 2),
        M::Cmpsd => (0xa6, 4),
        M::Cmpsq => (0xa6, 8),
        M::Stosb => (0xaa, 1),
        M::Stosw => (0xaa, 2),
        M::Stosd => (0xaa, 4),
        M::Stosq => (0xaa, 8),
        M::Lodsb => (0xac, 1),
        M::Lodsw => (0xac, 2),
        M::Lodsd => (0xac, 4),
        M::Lodsq => (0xac, 8),
        M::Scasb => (0xae, 1),
        M::Scasw => (0xae, 2),
        M::Scasd => (0xae, 4),
        M::Scasq => (0xae, 8),
        _ => return None,
    })
}
