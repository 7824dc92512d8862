//! Rewrites uses of the stack pointer. It contains the region's base; what is computed from it does
//! not.

use iced_x86::{Code, Instruction, Mnemonic, OpKind, Register};

use super::memory;
use super::state::{AVOID, Lower, Result, Use, add_base, low, subtract_base, unsupported};
use crate::code::{Meaning, Source};
use crate::effects::{Set, number};
use crate::item::{Item, Stack};
use crate::layout::SERVER;
use crate::linked::Target;

const REACH: i64 = omniglot_verify::STACK_REACH as i64;
const RSP: u8 = 4;

/// Returns true if RSP or a part of it is an operand, other than as the base of an address.
pub(super) fn names_sp(instruction: &Instruction) -> bool {
    let mut operands = 0..instruction.op_count();
    operands.any(|operand| {
        instruction.op_kind(operand) == OpKind::Register
            && number(instruction.op_register(operand)) == Some(RSP)
    })
}

/// The effect on RSP of an instruction that does not write it explicitly: it always accesses memory
/// close to it, pushes or pops, or does none of these.
pub(super) fn effect(instruction: &Instruction) -> Stack {
    use Mnemonic as M;
    let mnemonic = instruction.mnemonic();
    if matches!(mnemonic, M::Push | M::Pop) {
        return Stack::Access;
    }
    let is_at_sp = memory::has_memory(instruction)
        && instruction.memory_base() == Register::RSP
        && instruction.memory_index() == Register::None
        && instruction.segment_prefix() == Register::None;
    let is_sure = matches!(
        mnemonic,
        M::Mov
            | M::Add
            | M::Or
            | M::Adc
            | M::Sbb
            | M::And
            | M::Sub
            | M::Xor
            | M::Cmp
            | M::Test
            | M::Inc
            | M::Dec
            | M::Neg
            | M::Not
            | M::Imul
            | M::Movzx
            | M::Movsx
            | M::Movsxd
            | M::Movups
            | M::Movupd
            | M::Movaps
            | M::Movapd
            | M::Movdqa
            | M::Movdqu
            | M::Vmovups
            | M::Vmovupd
            | M::Vmovaps
            | M::Vmovapd
            | M::Vmovdqa
            | M::Vmovdqu
    );
    if is_at_sp && is_sure { Stack::Access } else { Stack::Unchanged }
}

impl Lower<'_> {
    /// Rewrites an instruction with RSP as an operand.
    pub(super) fn stack(&mut self, source: &Source) -> Result<()> {
        let instruction = &source.instruction;
        let is_first = instruction.op0_kind() == OpKind::Register
            && number(instruction.op0_register()) == Some(RSP);
        let is_whole = (0..instruction.op_count()).any(|operand| {
            instruction.op_kind(operand) == OpKind::Register
                && instruction.op_register(operand) == Register::RSP
        });
        match instruction.mnemonic() {
            Mnemonic::Push => self.push_sp(),
            Mnemonic::Pop => self.pop_sp(),
            Mnemonic::Cmp | Mnemonic::Test if is_whole => self.compare(source),
            Mnemonic::Cmp | Mnemonic::Test => self.plain(source),
            _ if is_first && is_whole => self.write_sp(source),
            _ if is_first => unsupported("it writes a part of the stack pointer", AVOID),
            _ if is_whole => self.read_sp(source),
            _ => self.plain(source),
        }
    }

    /// Rewrites `pushq %rsp`, and makes the copy low.
    fn push_sp(&mut self) -> Result<()> {
        let mut item = self.item();
        item.push(&[0x54]);
        item.stack = Stack::Access;
        self.items.push(item);
        // movl $0, 4(%rsp)
        self.push_bytes(&[0xc7, 0x44, 0x24, 0x04, 0, 0, 0, 0]);
        Ok(())
    }

    /// Appends `movl (%rsp), %esp`, as a group.
    fn pop_sp(&mut self) -> Result<()> {
        let is_kept = self.keep_flags();
        let mut item = self.item();
        item.push(&[0x8b, 0x24, 0x24]);
        self.set_sp(item);
        if is_kept {
            self.restore_flags();
        }
        Ok(())
    }

    /// Ends a group that wrote ESP.
    fn set_sp(&mut self, mut item: Item) {
        item.push(&add_base(RSP));
        item.stack = Stack::Set;
        self.items.push(item);
    }

    fn compare(&mut self, source: &Source) -> Result<()> {
        let mut narrow = *source;
        let Some(code) = narrowed(source.instruction.code()) else {
            return unsupported("it compares the stack pointer in an unsupported way", AVOID);
        };
        narrow.instruction.set_code(code);
        lower_registers(&mut narrow.instruction);
        self.plain(&narrow)
    }

    fn write_sp(&mut self, source: &Source) -> Result<()> {
        let mut instruction = source.instruction;
        if is_nothing(&instruction) {
            return Ok(());
        }
        if is_small_step(source) {
            if instruction.mnemonic() == Mnemonic::Lea {
                memory::fit(&mut instruction, 8);
            }
            let mut item = self.item();
            self.encode(&mut item, &instruction, Use::Number, None)?;
            item.stack = Stack::Step;
            self.items.push(item);
            return Ok(());
        }
        let is_read_only = instruction.op1_kind() == OpKind::Register
            && number(instruction.op1_register()) == Some(RSP);
        let code = match narrowed(instruction.code()) {
            Some(code) if !is_read_only => code,
            _ => return unsupported("it writes the stack pointer in an unsupported way", AVOID),
        };
        let is_move = matches!(instruction.mnemonic(), Mnemonic::Mov | Mnemonic::Lea);
        if !is_move {
            self.flags_are_free()?;
        }
        let is_kept = self.keep_flags();
        instruction.set_code(code);
        lower_registers(&mut instruction);
        let using = if instruction.mnemonic() == Mnemonic::Lea {
            self.computed(&mut instruction, source)?
        } else {
            self.confine(&mut instruction, source)?
        };
        let mut item = self.item();
        self.encode(&mut item, &instruction, using, source.immediate)?;
        self.set_sp(item);
        if is_kept {
            self.restore_flags();
        }
        Ok(())
    }

    fn read_sp(&mut self, source: &Source) -> Result<()> {
        let instruction = &source.instruction;
        let is_memory = instruction.op0_kind() == OpKind::Memory;
        match instruction.mnemonic() {
            Mnemonic::Mov if is_memory => self.store_sp(source),
            Mnemonic::Mov => {
                let mut narrow = *source;
                narrow.instruction.set_code(Code::Mov_r32_rm32);
                lower_registers(&mut narrow.instruction);
                self.plain(&narrow)
            }
            Mnemonic::Add | Mnemonic::Sub if !is_memory => {
                self.flags_are_free()?;
                let register = number(instruction.op0_register()).unwrap_or_default();
                let mut item = self.item();
                self.encode(&mut item, instruction, Use::Number, None)?;
                self.items.push(item);
                let is_sum = instruction.mnemonic() == Mnemonic::Add;
                self.push_bytes(&if is_sum { subtract_base(register) } else { add_base(register) });
                Ok(())
            }
            _ => unsupported("it uses the stack pointer in an unsupported way", AVOID),
        }
    }

    /// Appends `movl %esp, place; movl $0, place + 4`.
    fn store_sp(&mut self, source: &Source) -> Result<()> {
        let mut first = *source;
        first.instruction.set_code(Code::Mov_rm32_r32);
        lower_registers(&mut first.instruction);
        self.plain(&first)?;
        let mut second = first;
        second.instruction.set_code(Code::Mov_rm32_imm32);
        second.instruction.set_op1_kind(OpKind::Immediate32);
        second.instruction.set_immediate32(0);
        match &mut second.displacement {
            Some(Meaning::Address(target) | Meaning::ThreadOffset(target)) => {
                *target = target.plus(4);
            }
            Some(_) => return unsupported("its address has an unsupported relocation", AVOID),
            None if second.instruction.is_ip_rel_memory_operand() => {
                let offset = second.instruction.ip_rel_memory_address().cast_signed();
                let target = Target::Section(self.code.id, offset + 4);
                second.displacement = Some(Meaning::Address(target));
            }
            None => {
                let displacement = second.instruction.memory_displacement64();
                second.instruction.set_memory_displacement64(displacement.wrapping_add(4));
            }
        }
        self.plain(&second)
    }

    /// Rewrites `leave`.
    pub(super) fn leave(&mut self) -> Result<()> {
        let is_kept = self.keep_flags();
        let mut item = self.item();
        // movl %ebp, %esp
        item.push(&[0x89, 0xec]);
        self.set_sp(item);
        if is_kept {
            self.restore_flags();
        }
        let mut item = self.item();
        item.push(&[0x5d]);
        item.stack = Stack::Access;
        self.items.push(item);
        Ok(())
    }

    /// Rewrites `syscall` into a call of the image's system-call server, or, where it has none, of
    /// the host's gate. The call pushes an address, so it first
    /// skips the red zone: the 128 bytes below RSP that a function may use.
    pub(super) fn system_call(&mut self) -> Result<()> {
        let mut item = self.item();
        // leaq -128(%rsp), %rsp
        item.push(&[0x48, 0x8d, 0x64, 0x24, 0x80]);
        item.stack = Stack::Step;
        self.items.push(item);
        let server = self.linked.find(SERVER).map(|(target, _)| target);
        let gate = Target::Absolute(omniglot_verify::layout::GATE_SYSTEM_CALL.cast_signed());
        self.call_to(server.unwrap_or(gate));
        let mut item = self.item();
        // leaq 128(%rsp), %rsp
        item.push(&[0x48, 0x8d, 0xa4, 0x24, 0x80, 0, 0, 0]);
        item.stack = Stack::Step;
        self.items.push(item);
        let mut item = self.item();
        // movl (%rsp), %ecx: an access. A system call changes RCX anyway.
        item.push(&[0x8b, 0x0c, 0x24]);
        item.stack = Stack::Access;
        self.items.push(item);
        Ok(())
    }
}

/// An access to the stack that follows a step: a comparison, which changes flags, or a load.
pub(super) fn touch(needed: Set, spare: Option<u8>) -> Option<Vec<u8>> {
    if !needed.has_flags() {
        // testl %eax, (%rsp)
        return Some(vec![0x85, 0x04, 0x24]);
    }
    let register = spare?;
    let mut bytes = if register >= 8 { vec![0x44] } else { Vec::new() };
    bytes.extend([0x8b, 0x04 | (register & 7) << 3, 0x24]);
    Some(bytes)
}

/// Returns true for `lea (%rsp), %rsp`.
fn is_nothing(instruction: &Instruction) -> bool {
    instruction.mnemonic() == Mnemonic::Lea
        && instruction.memory_base() == Register::RSP
        && instruction.memory_index() == Register::None
        && instruction.memory_displacement64() == 0
}

/// Returns true if the verifier accepts the instruction as a small step.
fn is_small_step(source: &Source) -> bool {
    let instruction = &source.instruction;
    let is_small = |number: i64| -REACH < number && number < REACH;
    let immediate =
        matches!(instruction.op1_kind(), OpKind::Immediate8to64 | OpKind::Immediate32to64)
            .then(|| instruction.immediate(1).cast_signed());
    let is_relocated = source.immediate.is_some() || source.displacement.is_some();
    !is_relocated
        && match instruction.mnemonic() {
            Mnemonic::Add | Mnemonic::Sub => immediate.is_some_and(is_small),
            Mnemonic::And => immediate.is_some_and(|number| (-4096..0).contains(&number)),
            Mnemonic::Lea => {
                instruction.memory_base() == Register::RSP
                    && instruction.memory_index() == Register::None
                    && is_small(instruction.memory_displacement64().cast_signed())
            }
            _ => false,
        }
}

/// The 32-bit form of instructions that may have RSP as an operand.
fn narrowed(code: Code) -> Option<Code> {
    Some(match code {
        Code::Mov_r64_rm64 | Code::Mov_rm64_r64 => Code::Mov_r32_rm32,
        Code::Lea_r64_m => Code::Lea_r32_m,
        Code::Add_r64_rm64 | Code::Add_rm64_r64 => Code::Add_r32_rm32,
        Code::Sub_r64_rm64 | Code::Sub_rm64_r64 => Code::Sub_r32_rm32,
        Code::And_r64_rm64 | Code::And_rm64_r64 => Code::And_r32_rm32,
        Code::Add_rm64_imm8 => Code::Add_rm32_imm8,
        Code::Add_rm64_imm32 => Code::Add_rm32_imm32,
        Code::Sub_rm64_imm8 => Code::Sub_rm32_imm8,
        Code::Sub_rm64_imm32 => Code::Sub_rm32_imm32,
        Code::And_rm64_imm8 => Code::And_rm32_imm8,
        Code::And_rm64_imm32 => Code::And_rm32_imm32,
        Code::Cmp_r64_rm64 => Code::Cmp_r32_rm32,
        Code::Cmp_rm64_r64 => Code::Cmp_rm32_r32,
        Code::Cmp_rm64_imm8 => Code::Cmp_rm32_imm8,
        Code::Cmp_rm64_imm32 => Code::Cmp_rm32_imm32,
        Code::Test_rm64_r64 => Code::Test_rm32_r32,
        Code::Test_rm64_imm32 => Code::Test_rm32_imm32,
        _ => return None,
    })
}

/// Converts 64-bit operands into 32-bit ones, immediates included.
fn lower_registers(instruction: &mut Instruction) {
    for operand in 0..instruction.op_count() {
        match instruction.op_kind(operand) {
            OpKind::Register => {
                instruction.set_op_register(operand, low(instruction.op_register(operand)));
            }
            OpKind::Immediate8to64 => instruction.set_op_kind(operand, OpKind::Immediate8to32),
            OpKind::Immediate32to64 => instruction.set_op_kind(operand, OpKind::Immediate32),
            _ => {}
        }
    }
}
