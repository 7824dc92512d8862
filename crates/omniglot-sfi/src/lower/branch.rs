//! Rewrites jumps, calls and returns.

use iced_x86::{Code, FlowControl, Instruction, Mnemonic, OpKind, Register};

use super::state::{AVOID, Lower, Result, add_base, low, register32, unsupported};
use crate::code::{Meaning, Source};
use crate::effects::{Set, number};
use crate::flow::{FOR_RETURNS, R11};
use crate::item::{Fix, Item, Shape, Stack, Value};
use crate::labels::branch_target;
use crate::linked::Target;

const RSP: u8 = 4;

impl Lower<'_> {
    pub(super) fn branch(&mut self, source: &Source) -> Result<()> {
        let instruction = &source.instruction;
        match instruction.flow_control() {
            FlowControl::Return => self.return_to_caller(instruction),
            FlowControl::IndirectCall | FlowControl::IndirectBranch => self.indirect(source),
            FlowControl::Call
            | FlowControl::UnconditionalBranch
            | FlowControl::ConditionalBranch => {
                let Some(target) = branch_target(self.code.id, source) else {
                    return unsupported("its target is not known", AVOID);
                };
                self.direct(instruction, target)
            }
            _ => unsupported("it leaves the program", AVOID),
        }
    }

    fn direct(&mut self, instruction: &Instruction, target: Target) -> Result<()> {
        if target == Target::Absolute(0) {
            // A weak symbol that nobody defines. The program does not call it.
            self.stop();
            return Ok(());
        }
        let condition = match instruction.flow_control() {
            FlowControl::Call => {
                self.call_to(target);
                if self.liveness.fetches(self.code.id, self.at) {
                    // movq -32(%rsp), %r11
                    self.push_bytes(&[0x4c, 0x8b, 0x5c, 0x24, 0xe0]);
                }
                return Ok(());
            }
            FlowControl::ConditionalBranch => Some(self.condition(instruction)?),
            _ => None,
        };
        if let Target::Section(id, offset) = target
            && id == self.code.id
        {
            let offset = u64::try_from(offset).ok();
            let Some(to) = offset.and_then(|offset| self.code.index_of(offset)) else {
                return unsupported("it leads into another instruction", AVOID);
            };
            self.push_branch(condition, to);
            return Ok(());
        }
        let mut item = self.item();
        match condition {
            Some(condition) => item.push(&[0x0f, 0x80 | condition]),
            None => item.push(&[0xe9]),
        }
        item.branches = true;
        self.distance(&mut item, target);
        self.items.push(item);
        Ok(())
    }

    /// The condition code of a conditional branch. Code is added to compute conditions on RCX.
    fn condition(&mut self, instruction: &Instruction) -> Result<u8> {
        const EQUAL: u8 = 4;
        const NOT_EQUAL: u8 = 5;
        if let Some(condition) = (instruction.condition_code() as u8).checked_sub(1)
            && !is_loop(instruction)
        {
            return Ok(condition);
        }
        self.flags_are_free()?;
        match instruction.code() {
            Code::Jrcxz_rel8_64 => {
                // testq %rcx, %rcx
                self.push_bytes(&[0x48, 0x85, 0xc9]);
                Ok(EQUAL)
            }
            Code::Jecxz_rel8_64 => {
                self.push_bytes(&[0x85, 0xc9]);
                Ok(EQUAL)
            }
            Code::Loop_rel8_64_RCX => {
                // decq %rcx
                self.push_bytes(&[0x48, 0xff, 0xc9]);
                Ok(NOT_EQUAL)
            }
            _ => unsupported("this kind of branch is not supported", AVOID),
        }
    }

    pub(super) fn call_to(&mut self, target: Target) {
        let mut item = self.item();
        item.push(&[0xe8]);
        item.shape = Shape::EndsLine;
        item.stack = Stack::Access;
        item.branches = true;
        self.distance(&mut item, target);
        self.items.push(item);
    }

    /// Appends a four-byte distance to an item.
    fn distance(&self, item: &mut Item, target: Target) {
        let at = item.bytes().len() as u8;
        item.push(&[0; 4]);
        item.fix(Fix { at, size: 4, end: Some(at + 4), value: Value::Address(target) });
    }

    fn return_to_caller(&mut self, instruction: &Instruction) -> Result<()> {
        if instruction.op_count() > 0 || instruction.code() != Code::Retnq {
            return unsupported("it takes arguments off the stack", AVOID);
        }
        let needed = self.needed();
        let free = FOR_RETURNS.into_iter().find(|register| !needed.has(*register));
        let register = free.unwrap_or(R11);
        if free.is_none() {
            // movq %r11, -24(%rsp): the callers load it from there. Until then, only the group's
            // push writes below the stack pointer, 8 bytes below the address.
            self.push_bytes(&[0x4c, 0x89, 0x5c, 0x24, 0xe8]);
        }
        let mut item = self.item();
        if register >= 8 {
            item.push(&[0x41]);
        }
        item.push(&[0x58 | register & 7]);
        item.stack = Stack::Access;
        self.items.push(item);
        let mut item = self.masked(register);
        if register >= 8 {
            item.push(&[0x41]);
        }
        item.push(&[0x50 | register & 7, 0xc3]);
        item.stack = Stack::Access;
        item.branches = true;
        self.items.push(item);
        Ok(())
    }

    /// Begins a group: rounds the register down to the beginning of a line, and adds the base.
    fn masked(&self, register: u8) -> Item {
        let mut item = self.item();
        if register >= 8 {
            item.push(&[0x41]);
        }
        item.push(&[0x83, 0xe0 | register & 7, 0xe0]);
        item.push(&add_base(register));
        item
    }

    fn indirect(&mut self, source: &Source) -> Result<()> {
        let instruction = &source.instruction;
        let is_call = instruction.flow_control() == FlowControl::IndirectCall;
        let keeps_r11 = self.liveness.keeps_r11(self.code.id, self.at);
        if keeps_r11 {
            self.save_r11();
        }
        let register = match instruction.op0_kind() {
            // Position-independent code calls imported functions this way.
            OpKind::Memory if matches!(source.displacement, Some(Meaning::Slot(_))) => {
                return self.imported(source, is_call);
            }
            OpKind::Memory => self.load_target(source, is_call)?,
            OpKind::Register => self.move_target(instruction.op0_register(), is_call)?,
            _ => return unsupported("far jumps and calls lead out of the program", AVOID),
        };
        if !is_call {
            // The target restores the flags: see `Liveness::restores`.
            self.keep_flags();
        }
        let mut item = self.masked(register);
        if register >= 8 {
            item.push(&[0x41]);
        }
        let kind = if is_call { 0xd0 } else { 0xe0 };
        item.push(&[0xff, kind | register & 7]);
        item.branches = true;
        if is_call {
            item.shape = Shape::EndsLine;
            item.stack = Stack::Access;
        }
        self.items.push(item);
        Ok(())
    }

    fn imported(&mut self, source: &Source, is_call: bool) -> Result<()> {
        let Some(Meaning::Slot(target)) = source.displacement else { return Ok(()) };
        let mut direct = source.instruction;
        direct.set_code(if is_call { Code::Call_rel32_64 } else { Code::Jmp_rel32_64 });
        direct.set_op0_kind(OpKind::NearBranch64);
        self.direct(&direct, target)
    }

    /// Loads the target of a jump or call into a register.
    fn load_target(&mut self, source: &Source, is_call: bool) -> Result<u8> {
        if source.instruction.memory_size().size() != 8 {
            return unsupported("far jumps and calls lead out of the program", AVOID);
        }
        // If all registers are live, r11 was saved.
        let register = if is_call { R11 } else { self.spare(Set::NONE).unwrap_or(R11) };
        let mut load = *source;
        let from = source.instruction;
        load.instruction = Instruction::default();
        load.instruction.set_code(Code::Mov_r32_rm32);
        load.instruction.set_op0_kind(OpKind::Register);
        load.instruction.set_op0_register(register32(register));
        load.instruction.set_op1_kind(OpKind::Memory);
        load.instruction.set_memory_base(from.memory_base());
        load.instruction.set_memory_index(from.memory_index());
        load.instruction.set_memory_index_scale(from.memory_index_scale());
        load.instruction.set_memory_displacement64(from.memory_displacement64());
        load.instruction.set_memory_displ_size(from.memory_displ_size());
        load.instruction.set_segment_prefix(from.segment_prefix());
        self.plain(&load)?;
        Ok(register)
    }

    /// Returns a register that holds the target, which the group may change. Copies it if
    /// necessary.
    fn move_target(&mut self, register: Register, is_call: bool) -> Result<u8> {
        let Some(number) = number(register).filter(|number| *number != RSP) else {
            return unsupported("its target is the stack pointer", AVOID);
        };
        // RAX and r11 hold no argument. R10 does for nested functions, but then it is not the
        // target.
        let is_free = matches!(number, 0 | 10 | R11) || !is_call && !self.needed().has(number);
        if is_free || !is_call && self.needed().has(R11) {
            return Ok(number);
        }
        let copy = Instruction::with2(Code::Mov_r32_rm32, Register::R11D, low(register));
        let Ok(copy) = copy else { return unsupported("it cannot be copied", AVOID) };
        let (bytes, _) = self.bytes_of(&copy)?;
        self.push_bytes(&bytes);
        Ok(R11)
    }
}

fn is_loop(instruction: &Instruction) -> bool {
    matches!(instruction.mnemonic(), Mnemonic::Loop | Mnemonic::Loope | Mnemonic::Loopne)
}
