//! Instructions that are replaced by others, and those that cannot be rewritten.

use iced_x86::{Code, EncodingKind, Instruction, Mnemonic, OpKind};

use super::memory;
use super::state::{AVOID, Lower, Result, unsupported};
use crate::code::{Meaning, Source};
use crate::effects::number;
use crate::item::Value;
use crate::layout::PROCESSOR;
use crate::objects::Kind;

/// Returns true for instructions that have no effect here: no-operations, landing pads, and `cld`
/// (the direction flag is always clear).
pub(super) fn is_nothing(instruction: &Instruction) -> bool {
    matches!(
        instruction.mnemonic(),
        Mnemonic::Nop
            | Mnemonic::Endbr64
            | Mnemonic::Endbr32
            | Mnemonic::Cld
            | Mnemonic::Reservednop
    )
}

/// EDX of CPUID leaf 1: x87 unit, CMPXCHG8B, CMOV, FXSAVE, SSE, SSE2 (Intel SDM, volume 2, CPUID).
const FEATURES: u32 = 1 | 1 << 8 | 1 << 15 | 1 << 24 | 1 << 25 | 1 << 26;

impl Lower<'_> {
    /// Rewrites an instruction that needs special treatment. Returns `None` for all others.
    pub(super) fn special(&mut self, source: &Source) -> Option<Result<()>> {
        let instruction = &source.instruction;
        let result = match instruction.mnemonic() {
            Mnemonic::Leave => self.leave(),
            Mnemonic::Syscall => self.system_call(),
            Mnemonic::Cpuid => self.cpuid(),
            Mnemonic::Xgetbv => self.xgetbv(),
            Mnemonic::Rdrand | Mnemonic::Rdseed => self.no_random(instruction),
            Mnemonic::Hlt => self.stop_here(),
            Mnemonic::Mov | Mnemonic::Add if is_thread_slot(source) => self.thread_slot(source),
            Mnemonic::Mov if is_address_slot(source) => self.address_slot(source),
            Mnemonic::Mov if self.is_thread_pointer(source) => self.thread_pointer(source),
            _ => match refused(instruction) {
                Some(what) => unsupported(what, AVOID),
                None => return None,
            },
        };
        Some(result)
    }

    /// Rewrites `cpuid` to report leaves 0, 1 and 7, with what [`Processor`] says, and no vendor.
    /// What every x86-64 processor has needs no asking.
    ///
    /// [`Processor`]: crate::processor::Processor
    fn cpuid(&mut self) -> Result<()> {
        let is_kept = self.keep_flags();
        // EBX: in leaf 7, subleaf 0.
        self.push_bytes(&[0x83, 0xf8, 0x07]); // cmpl $7, %eax
        self.push_bytes(&[0x0f, 0x94, 0xc3]); // sete %bl
        self.push_bytes(&[0x85, 0xc9]); // testl %ecx, %ecx
        self.push_bytes(&[0x0f, 0x94, 0xc1]); // sete %cl
        self.push_bytes(&[0x20, 0xcb]); // andb %cl, %bl
        self.push_bytes(&[0x0f, 0xb6, 0xdb]); // movzbl %bl, %ebx
        self.push_bytes(&[0xf7, 0xdb]); // negl %ebx
        self.kept(&[0x23, 0x1d], PROCESSOR + 4); // andl leaf 7(%rip), %ebx
        // ECX and EDX: in leaf 1.
        self.push_bytes(&[0x83, 0xf8, 0x01]); // cmpl $1, %eax
        self.push_bytes(&[0x0f, 0x94, 0xc2]); // sete %dl
        self.push_bytes(&[0x0f, 0xb6, 0xd2]); // movzbl %dl, %edx
        self.push_bytes(&[0xf7, 0xda]); // negl %edx
        self.push_bytes(&[0x89, 0xd1]); // movl %edx, %ecx
        self.kept(&[0x23, 0x0d], PROCESSOR); // andl leaf 1(%rip), %ecx
        self.push_bytes(&[&[0x81, 0xe2][..], &FEATURES.to_le_bytes()].concat()); // andl $, %edx
        // EAX: in leaf 0, the highest one.
        self.push_bytes(&[0x85, 0xc0]); // testl %eax, %eax
        self.push_bytes(&[0x0f, 0x94, 0xc0]); // sete %al
        self.push_bytes(&[0x0f, 0xb6, 0xc0]); // movzbl %al, %eax
        self.push_bytes(&[0x6b, 0xc0, 0x07]); // imull $7, %eax, %eax
        if is_kept {
            self.restore_flags();
        }
        Ok(())
    }

    /// Rewrites `xgetbv`: which registers the program may use.
    fn xgetbv(&mut self) -> Result<()> {
        self.kept(&[0x8b, 0x05], PROCESSOR + 8); // movl state(%rip), %eax
        self.zeros(&[2])
    }

    /// Appends `movl $0, %r32` for each register.
    fn zeros(&mut self, registers: &[u8]) -> Result<()> {
        for register in registers {
            self.push_bytes(&[0xb8 | register, 0, 0, 0, 0]);
        }
        Ok(())
    }

    /// Rewrites `rdrand` to report failure in the carry flag: no random number is available.
    fn no_random(&mut self, instruction: &Instruction) -> Result<()> {
        let Some(register) = number(instruction.op0_register()) else {
            return unsupported("it has no register", AVOID);
        };
        let prefix: &[u8] = if register >= 8 { &[0x41] } else { &[] };
        self.push_bytes(&[prefix, &[0xb8 | register & 7, 0, 0, 0, 0]].concat());
        // clc
        self.push_bytes(&[0xf8]);
        Ok(())
    }

    /// Rewrites `mov place@gottpoff(%rip), %reg` and `add`: the offset is a constant here.
    fn thread_slot(&mut self, source: &Source) -> Result<()> {
        let Some(Meaning::ThreadSlot(target)) = source.displacement else { return Ok(()) };
        let mut known = *source;
        let code = match source.instruction.code() {
            Code::Mov_r64_rm64 => Code::Mov_rm64_imm32,
            Code::Add_r64_rm64 => Code::Add_rm64_imm32,
            _ => return unsupported("it loads thread-local data in an unsupported way", AVOID),
        };
        known.instruction.set_code(code);
        known.instruction.set_op1_kind(OpKind::Immediate32to64);
        known.instruction.set_immediate32to64(0);
        known.displacement = None;
        known.immediate = Some(Meaning::ThreadOffset(target));
        self.plain(&known)
    }

    /// Rewrites `mov name@gotpcrel(%rip), %reg`: the address is a constant here.
    fn address_slot(&mut self, source: &Source) -> Result<()> {
        let Some(Meaning::Slot(target)) = source.displacement else { return Ok(()) };
        let Some(register) = number(source.instruction.op0_register()) else { return Ok(()) };
        self.push_address(register, Value::Address(target));
        Ok(())
    }

    fn is_thread_pointer(&self, source: &Source) -> bool {
        let instruction = &source.instruction;
        instruction.code() == Code::Mov_r64_rm64
            && instruction.op1_kind() == OpKind::Memory
            && instruction.segment_prefix() == iced_x86::Register::FS
            && instruction.memory_base() == iced_x86::Register::None
            && instruction.memory_index() == iced_x86::Register::None
            && instruction.memory_displacement64() == 0
            && source.displacement.is_none()
    }

    /// Rewrites `mov %fs:0, %reg`.
    fn thread_pointer(&mut self, source: &Source) -> Result<()> {
        let Some(register) = number(source.instruction.op0_register()) else { return Ok(()) };
        let thread = crate::linked::Target::Section(self.linked.thread, 0);
        debug_assert_eq!(self.linked.section(self.linked.thread).kind, Kind::Data);
        self.push_address(register, Value::Address(thread));
        Ok(())
    }
}

fn is_thread_slot(source: &Source) -> bool {
    matches!(source.displacement, Some(Meaning::ThreadSlot(_)))
        && source.instruction.op0_kind() == OpKind::Register
}

fn is_address_slot(source: &Source) -> bool {
    matches!(source.displacement, Some(Meaning::Slot(_)))
        && source.instruction.code() == Code::Mov_r64_rm64
}

/// The reason why an instruction cannot be rewritten, if its mnemonic decides that. The verifier
/// refuses whatever else is not allowed.
fn refused(instruction: &Instruction) -> Option<&'static str> {
    use Mnemonic as M;
    match instruction.code().encoding() {
        EncodingKind::Legacy | EncodingKind::VEX => {}
        EncodingKind::EVEX => return Some("AVX-512 is not supported"),
        _ => return Some("an instruction set extension that is not supported"),
    }
    let has_mmx = (0..instruction.op_count()).any(|operand| {
        instruction.op_kind(operand) == OpKind::Register && instruction.op_register(operand).is_mm()
    });
    if has_mmx || instruction.mnemonic() == M::Emms {
        return Some("MMX is not supported");
    }
    let is_bit_string = matches!(instruction.mnemonic(), M::Bt | M::Bts | M::Btr | M::Btc)
        && memory::has_memory(instruction)
        && instruction.op1_kind() == OpKind::Register;
    if is_bit_string {
        return Some("a bit number in a register may address bits far from the operand");
    }
    Some(match instruction.mnemonic() {
        M::Std | M::Popf | M::Popfd | M::Popfq | M::Pushf | M::Pushfd | M::Pushfq => {
            "it reads or writes flags that belong to the host"
        }
        M::Rdtsc | M::Rdtscp | M::Rdpmc => "it reads a clock",
        M::Sysenter | M::Int | M::Int1 | M::In | M::Out | M::Iretq | M::Xbegin | M::Sysretq => {
            "it leaves the program"
        }
        M::Rdfsbase | M::Rdgsbase | M::Wrfsbase | M::Wrgsbase | M::Swapgs | M::Rdpid => {
            "it reads or changes state that belongs to the host"
        }
        M::Fnstenv
        | M::Fldenv
        | M::Fnsave
        | M::Frstor
        | M::Fxsave
        | M::Fxsave64
        | M::Fxrstor
        | M::Fxrstor64
        | M::Xsave
        | M::Xsave64
        | M::Xrstor
        | M::Xrstor64
        | M::Ffreep => "it saves or loads the state of the floating point unit as a whole",
        M::Xlatb | M::Maskmovq | M::Maskmovdqu | M::Vmaskmovdqu | M::Enter => {
            "its memory operand is implicit"
        }
        M::Clflush | M::Clflushopt | M::Clwb | M::Monitor | M::Mwait | M::Clzero => {
            "it changes caches or waits"
        }
        _ => return None,
    })
}
