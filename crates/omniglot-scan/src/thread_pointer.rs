//! Determines whether code runs correctly with any thread pointer.
//!
//! Code finds thread-local variables through the FS base, including the C library's `errno` and the
//! stack protector's canary (ELF TLS for x86-64; System V ABI, section 3.4.2). Code that uses none
//! of them runs correctly with any FS base.

use std::collections::HashSet;

use iced_x86::{
    Code, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register,
};

/// The maximum length of an instruction in bytes (Intel SDM volume 2, section 2.3.11).
const LONGEST: usize = 15;
/// The maximum number of instructions to analyse. Longer code gains little.
const MAX_INSTRUCTIONS: usize = 1024;

/// Code that is loaded, relocated and ready to run.
pub trait LoadedCode {
    /// Copies bytes at an address. Returns how many were available, up to the length of `into`.
    fn read(&self, address: u64, into: &mut [u8]) -> usize;

    /// Reads the word at an address if the code cannot write to it, such as an entry of the global
    /// offset table that the linker makes read-only (`-z relro`, `-z now`).
    fn constant(&self, address: u64) -> Option<u64>;
}

/// Returns true if nothing that can run from `entry` until it returns uses the FS base.
///
/// Follows jumps and calls, also through constant words of memory. Returns false if the code makes
/// a system call, jumps through a register or a variable, or has more than about a thousand
/// instructions. The answer holds for code that follows the ABI, not for code that returns to
/// another address.
///
/// ```
/// use omniglot_scan::{LoadedCode, spares_thread_pointer};
///
/// struct Bytes(&'static [u8]);
///
/// impl LoadedCode for Bytes {
///     fn read(&self, address: u64, into: &mut [u8]) -> usize {
///         let rest = self.0.get(address as usize..).unwrap_or_default();
///         let count = rest.len().min(into.len());
///         into[..count].copy_from_slice(&rest[..count]);
///         count
///     }
///
///     fn constant(&self, _address: u64) -> Option<u64> {
///         None
///     }
/// }
///
/// // lea eax, [rdi + rsi]; ret
/// assert!(spares_thread_pointer(&Bytes(&[0x8d, 0x04, 0x37, 0xc3]), 0));
/// // mov rax, fs:[0x28]; ret
/// let canary = Bytes(&[0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0, 0xc3]);
/// assert!(!spares_thread_pointer(&canary, 0));
/// ```
#[must_use]
pub fn spares_thread_pointer(code: &impl LoadedCode, entry: u64) -> bool {
    let mut seen = HashSet::from([entry]);
    let mut waiting = vec![entry];
    while let Some(address) = waiting.pop() {
        let Some(next) = decode(code, address).and_then(|found| successors(code, &found)) else {
            return false;
        };
        waiting.extend(next.into_iter().flatten().filter(|next| seen.insert(*next)));
        if seen.len() > MAX_INSTRUCTIONS {
            return false;
        }
    }
    true
}

fn decode(code: &impl LoadedCode, address: u64) -> Option<Instruction> {
    let mut bytes = [0; LONGEST];
    let count = code.read(address, &mut bytes);
    let bytes = bytes.get(..count)?;
    let instruction = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE).decode();
    (!instruction.is_invalid()).then_some(instruction)
}

/// The possible next addresses after an instruction. Returns `None` if they are not known, or if
/// the instruction uses FS.
fn successors(code: &impl LoadedCode, instruction: &Instruction) -> Option<[Option<u64>; 2]> {
    if uses_segment(instruction) || changes_stacks(instruction) {
        return None;
    }
    let next = Some(instruction.next_ip());
    if writes_return_address(instruction) && returns(code, instruction.next_ip()) {
        return None;
    }
    match instruction.flow_control() {
        FlowControl::Next => Some([next, None]),
        FlowControl::UnconditionalBranch => Some([near_target(instruction)?, None]),
        FlowControl::ConditionalBranch | FlowControl::Call => {
            Some([near_target(instruction)?, next])
        }
        FlowControl::IndirectBranch => Some([constant_target(code, instruction)?, None]),
        FlowControl::IndirectCall => Some([constant_target(code, instruction)?, next]),
        FlowControl::Return => is_plain_return(instruction).then_some([None, None]),
        FlowControl::Exception => Some([None, None]),
        FlowControl::Interrupt | FlowControl::XbeginXabortXend => None,
    }
}

fn uses_segment(instruction: &Instruction) -> bool {
    instruction.segment_prefix() == Register::FS
        || instruction.memory_segment() == Register::FS
        || (0..instruction.op_count()).any(|index| instruction.op_register(index) == Register::FS)
        || matches!(instruction.mnemonic(), Mnemonic::Rdfsbase | Mnemonic::Wrfsbase | Mnemonic::Lfs)
}

/// Returns true if the instruction may replace the stack pointer, as in coroutines. A return from
/// the new stack leads to code that was not analysed.
fn changes_stacks(instruction: &Instruction) -> bool {
    let own = [Register::RSP, Register::RBP];
    instruction.op0_register() == Register::RSP
        && match instruction.mnemonic() {
            Mnemonic::Add | Mnemonic::Sub | Mnemonic::And | Mnemonic::Cmp | Mnemonic::Test => false,
            Mnemonic::Push => false,
            Mnemonic::Mov => !own.contains(&instruction.op1_register()),
            Mnemonic::Lea => !own.contains(&instruction.memory_base()),
            _ => true,
        }
        || instruction.mnemonic() == Mnemonic::Xchg && instruction.op1_register() == Register::RSP
}

/// Returns true if the instruction writes to where a return takes its address from. Followed by a
/// return, it is a disguised jump (retpoline).
fn writes_return_address(instruction: &Instruction) -> bool {
    instruction.mnemonic() == Mnemonic::Push
        || instruction.op0_kind() == OpKind::Memory
            && instruction.memory_base() == Register::RSP
            && instruction.memory_displacement64() == 0
}

fn returns(code: &impl LoadedCode, address: u64) -> bool {
    decode(code, address).is_some_and(|next| next.flow_control() == FlowControl::Return)
}

/// The target of a direct jump or call. A system call counts as a call without a target.
fn near_target(instruction: &Instruction) -> Option<Option<u64>> {
    let target = instruction.near_branch_target();
    (target != 0).then_some(Some(target))
}

/// The word at the constant address that an indirect jump or call reads.
fn constant_target(code: &impl LoadedCode, instruction: &Instruction) -> Option<Option<u64>> {
    if !instruction.is_ip_rel_memory_operand() {
        return None;
    }
    code.constant(instruction.ip_rel_memory_address()).map(Some)
}

fn is_plain_return(instruction: &Instruction) -> bool {
    matches!(instruction.code(), Code::Retnq | Code::Retnq_imm16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Code at address 0x1000, and words that the code cannot write.
    struct Memory {
        code: Vec<u8>,
        constants: Vec<(u64, u64)>,
    }

    impl LoadedCode for Memory {
        fn read(&self, address: u64, into: &mut [u8]) -> usize {
            let offset = usize::try_from(address.wrapping_sub(0x1000)).unwrap_or(usize::MAX);
            let rest = self.code.get(offset..).unwrap_or_default();
            let count = rest.len().min(into.len());
            into[..count].copy_from_slice(&rest[..count]);
            count
        }

        fn constant(&self, address: u64) -> Option<u64> {
            self.constants.iter().find(|(place, _)| *place == address).map(|(_, word)| *word)
        }
    }

    fn spares(code: &[u8]) -> bool {
        spares_with(code, &[])
    }

    fn spares_with(code: &[u8], constants: &[(u64, u64)]) -> bool {
        let memory = Memory { code: code.to_vec(), constants: constants.to_vec() };
        spares_thread_pointer(&memory, 0x1000)
    }

    #[test]
    fn both_ways_of_a_condition_are_looked_at() {
        // test edi, edi; je +1; ret; then ret, or mov eax, fs:[0]; ret
        assert!(spares(&[0x85, 0xff, 0x74, 0x01, 0xc3, 0xc3]));
        let other = [0x64, 0x8b, 0x04, 0x25, 0, 0, 0, 0, 0xc3];
        assert!(!spares(&[[0x85, 0xff, 0x74, 0x01, 0xc3].as_slice(), &other].concat()));
        // With jne, the use is on the path that falls through.
        assert!(!spares(&[[0x85, 0xff, 0x75, 0x09].as_slice(), &other, &[0xc3]].concat()));
    }

    #[test]
    fn calls_and_what_follows_them_are_looked_at() {
        // call +1; ret; the callee
        assert!(spares(&[0xe8, 1, 0, 0, 0, 0xc3, 0xc3]));
        assert!(!spares(&[0xe8, 1, 0, 0, 0, 0xc3, 0xf3, 0x48, 0x0f, 0xae, 0xc0, 0xc3])); // rdfsbase
        // call +9; the use after it
        assert!(!spares(&[0xe8, 9, 0, 0, 0, 0x64, 0x8b, 0x04, 0x25, 0, 0, 0, 0, 0xc3, 0xc3]));
    }

    #[test]
    fn endless_loops_end() {
        assert!(spares(&[0xeb, 0xfe]));
    }

    #[test]
    fn only_constants_lead_on() {
        let jump = [0xff, 0x25, 0xfa, 0x0f, 0, 0, 0xc3]; // jmp [rip + 0xffa]: at 0x2000
        assert!(!spares(&jump), "a variable");
        assert!(spares_with(&jump, &[(0x2000, 0x1006)]));
        assert!(!spares_with(&jump, &[(0x2000, 0x9000)]), "no code there");
        assert!(!spares(&[0xff, 0xe0]), "jmp rax");
        assert!(!spares(&[0xff, 0xd0, 0xc3]), "call rax");
        assert!(!spares_with(&[0xff, 0x60, 0x08], &[(8, 0x1000)]), "jmp [rax + 8]");
    }

    #[test]
    fn what_can_do_anything_is_refused() {
        assert!(!spares(&[0x0f, 0x05, 0xc3]), "syscall");
        assert!(!spares(&[0xcd, 0x80, 0xc3]), "int 0x80");
        assert!(!spares(&[0x8e, 0xe0, 0xc3]), "mov fs, eax");
        assert!(!spares(&[0x0f, 0xa1, 0xc3]), "pop fs");
        assert!(!spares(&[0xcb]), "far return");
        assert!(!spares(&[0x06]), "no instruction");
        assert!(!spares(&[0x90]), "nothing follows");
        assert!(!spares(&[0x64, 0x90, 0xc3]), "a prefix that means nothing");
    }

    #[test]
    fn returns_that_are_jumps_are_refused() {
        assert!(!spares(&[0x50, 0xc3]), "push rax; ret");
        assert!(!spares(&[0x48, 0x89, 0x04, 0x24, 0xc3]), "mov [rsp], rax; ret");
        assert!(spares(&[0x50, 0x58, 0xc3]), "push rax; pop rax; ret");
        assert!(spares(&[0x48, 0x89, 0x44, 0x24, 0xf8, 0xc3]), "mov [rsp - 8], rax; ret");
        assert!(!spares(&[0x48, 0x89, 0xf4, 0xc3]), "mov rsp, rsi; ret");
        assert!(!spares(&[0x48, 0x94, 0xc3]), "xchg rsp, rax; ret");
        assert!(!spares(&[0x5c, 0xc3]), "pop rsp; ret");
        assert!(spares(&[0x48, 0x89, 0xec, 0x5d, 0xc3]), "mov rsp, rbp; pop rbp; ret");
        assert!(spares(&[0x48, 0x83, 0xec, 0x08, 0x48, 0x83, 0xc4, 0x08, 0xc3]), "sub; add; ret");
    }

    #[test]
    fn code_without_end_is_refused() {
        let mut code = vec![0x90; MAX_INSTRUCTIONS + 10];
        assert!(!spares(&code));
        code[100] = 0xc3;
        assert!(spares(&code));
    }
}
