//! Rewrites `LEA`, which computes addresses, and other loads of addresses.

use iced_x86::{Code, Instruction, Register};

use super::memory;
use super::state::{AVOID, Lower, Result, Use, low, unsupported};
use crate::code::{Meaning, Source};
use crate::effects::number;
use crate::item::Value;
use crate::linked::Target;

impl Lower<'_> {
    pub(super) fn lea(&mut self, source: &Source) -> Result<()> {
        let mut instruction = source.instruction;
        let register = instruction.op0_register();
        if number(register) == Some(4) {
            return self.stack(source);
        }
        let Some(into) = number(register).filter(|_| register.is_gpr32() || register.is_gpr64())
        else {
            return self.narrow_lea(source);
        };
        if let Some(Meaning::ThreadCall(target)) = source.displacement {
            // The result that the call behind it would have.
            self.skips_call = true;
            self.push_address(0, Value::Address(target));
            return Ok(());
        }
        let (base, index) = (instruction.memory_base(), instruction.memory_index());
        let is_alone = base == Register::None && index == Register::None;
        if is_alone || instruction.is_ip_rel_memory_operand() {
            return self.load_address(source, into);
        }
        // Addresses on the stack become low, too. 32-bit ones are low already.
        let names_sp = [base, index].contains(&Register::RSP);
        if names_sp || base.is_gpr32() || index.is_gpr32() {
            instruction.set_code(Code::Lea_r32_m);
            instruction.set_op0_register(low(register));
        }
        let using = self.computed(&mut instruction, source)?;
        let mut item = self.item();
        self.encode(&mut item, &instruction, using, None)?;
        self.items.push(item);
        Ok(())
    }

    /// Rewrites `lea place(%rip), %register`, and `lea` without registers.
    fn load_address(&mut self, source: &Source, into: u8) -> Result<()> {
        let value = match source.displacement {
            Some(Meaning::Address(target)) => Value::Address(target),
            Some(Meaning::ThreadOffset(target)) => Value::FromThread(target),
            Some(_) => return unsupported("its address has an unsupported relocation", AVOID),
            None if source.instruction.is_ip_rel_memory_operand() => {
                let offset = source.instruction.ip_rel_memory_address().cast_signed();
                Value::Address(Target::Section(self.code.id, offset))
            }
            None => {
                let number = source.instruction.memory_displacement64().cast_signed();
                Value::Address(Target::Absolute(number))
            }
        };
        self.push_address(into, value);
        Ok(())
    }

    /// Makes the address 64 bits wide, so that it has no prefix, and returns its displacement.
    pub(super) fn computed(&self, instruction: &mut Instruction, source: &Source) -> Result<Use> {
        instruction.set_segment_prefix(Register::None);
        instruction.set_memory_base(wide(instruction.memory_base()));
        instruction.set_memory_index(wide(instruction.memory_index()));
        let value = match source.displacement {
            None => {
                memory::fit(instruction, 8);
                return Ok(Use::Number);
            }
            Some(Meaning::Address(target)) => Value::Address(target),
            Some(Meaning::ThreadOffset(target)) => Value::FromThread(target),
            Some(_) => return unsupported("its address has an unsupported relocation", AVOID),
        };
        instruction.set_memory_displ_size(8);
        instruction.set_memory_displacement64(0);
        Ok(Use::Absolute(value))
    }

    /// Rewrites `lea` into a 16-bit register.
    fn narrow_lea(&mut self, source: &Source) -> Result<()> {
        let mut instruction = source.instruction;
        if instruction.is_ip_rel_memory_operand() {
            return unsupported("it takes 16 bits of an address", AVOID);
        }
        let using = self.computed(&mut instruction, source)?;
        let mut item = self.item();
        self.encode(&mut item, &instruction, using, None)?;
        self.items.push(item);
        Ok(())
    }
}

/// The 64-bit register that contains a 32-bit one.
fn wide(register: Register) -> Register {
    if register.is_gpr32() { register.full_register() } else { register }
}
