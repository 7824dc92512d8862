//! Rewrites memory operands into `%gs:disp(base32, index32, scale)`, RIP-relative or stack
//! operands.

use iced_x86::{Instruction, OpKind, Register};

use super::state::{AVOID, Lower, Result, Use, low, unsupported};
use crate::code::{Meaning, Source};
use crate::item::Value;
use crate::linked::Target;

/// The exclusive limit of displacements from the stack pointer.
const REACH: i64 = omniglot_verify::STACK_REACH as i64;

/// Returns true if the instruction has an explicit memory operand.
pub(super) fn has_memory(instruction: &Instruction) -> bool {
    (0..instruction.op_count()).any(|operand| instruction.op_kind(operand) == OpKind::Memory)
}

/// Sets the size that a displacement needs.
pub(super) fn fit(instruction: &mut Instruction, size: u32) {
    let displacement = instruction.memory_displacement64().cast_signed() as i32;
    let needed = match displacement {
        0 => 0,
        -128..=127 => 1,
        _ => size,
    };
    instruction.set_memory_displ_size(needed);
}

/// Makes an operand RIP-relative.
fn beside(instruction: &mut Instruction) {
    instruction.set_segment_prefix(Register::None);
    instruction.set_memory_base(Register::RIP);
    instruction.set_memory_index(Register::None);
    instruction.set_memory_index_scale(1);
    instruction.set_memory_displ_size(8);
    instruction.set_memory_displacement64(0);
}

impl Lower<'_> {
    /// Confines an instruction's memory operand, if it has one.
    pub(super) fn confine(&self, instruction: &mut Instruction, source: &Source) -> Result<Use> {
        if !has_memory(instruction) {
            // A segment prefix has no meaning without a memory operand.
            instruction.set_segment_prefix(Register::None);
            return Ok(Use::Number);
        }
        if instruction.is_vsib() {
            return unsupported("it gathers from many addresses at once", AVOID);
        }
        let is_thread = match instruction.segment_prefix() {
            Register::FS => true,
            Register::GS => return unsupported("it uses the segment %gs:", AVOID),
            _ => false,
        };
        if instruction.is_ip_rel_memory_operand() {
            return self.beside_code(instruction, source, is_thread);
        }
        let (base, index) = (instruction.memory_base(), instruction.memory_index());
        let displacement = instruction.memory_displacement64().cast_signed();
        let value = self.displacement(source, displacement, is_thread)?;
        if base == Register::None && index == Register::None {
            return Ok(match value {
                Some(value) => {
                    beside(instruction);
                    Use::Relative(value)
                }
                None => {
                    // A fixed address chosen by the program. It is invalid in the region, too.
                    instruction.set_segment_prefix(Register::GS);
                    instruction.set_memory_displ_size(4);
                    Use::Number
                }
            });
        }
        let is_near = -REACH < displacement && displacement < REACH;
        let is_stack = base == Register::RSP && index == Register::None && value.is_none();
        if is_stack && is_near {
            instruction.set_segment_prefix(Register::None);
            fit(instruction, 8);
            return Ok(Use::Number);
        }
        instruction.set_segment_prefix(Register::GS);
        instruction.set_memory_base(low(base));
        instruction.set_memory_index(low(index));
        let Some(value) = value else {
            fit(instruction, 4);
            return Ok(Use::Number);
        };
        instruction.set_memory_displ_size(4);
        instruction.set_memory_displacement64(0);
        Ok(Use::Absolute(value))
    }

    /// The value of the displacement of an operand that is not RIP-relative.
    fn displacement(&self, source: &Source, number: i64, is_thread: bool) -> Result<Option<Value>> {
        let thread = Target::Section(self.linked.thread, 0);
        Ok(match (source.displacement, is_thread) {
            (None, false) => None,
            // The offset from the thread pointer, added to its address.
            (None, true) => Some(Value::Address(thread.plus(number))),
            (Some(Meaning::Address(target)), false) => Some(Value::Address(target)),
            (Some(Meaning::ThreadOffset(target)), true) => Some(Value::Address(target)),
            (Some(Meaning::ThreadOffset(target)), false) => Some(Value::FromThread(target)),
            _ => return unsupported("its address has an unsupported relocation", AVOID),
        })
    }

    /// Keeps a RIP-relative operand.
    fn beside_code(
        &self,
        instruction: &mut Instruction,
        source: &Source,
        is_thread: bool,
    ) -> Result<Use> {
        let value = match source.displacement {
            Some(Meaning::Address(target)) => Value::Address(target),
            Some(Meaning::Slot(target)) => Value::Slot(target),
            Some(Meaning::ThreadSlot(target)) => Value::ThreadSlot(target),
            None => {
                let offset = instruction.ip_rel_memory_address().cast_signed();
                Value::Address(Target::Section(self.code.id, offset))
            }
            Some(_) => return unsupported("its address has an unsupported relocation", AVOID),
        };
        if is_thread {
            return unsupported("it uses %fs: with an address relative to RIP", AVOID);
        }
        beside(instruction);
        Ok(Use::Relative(value))
    }
}
