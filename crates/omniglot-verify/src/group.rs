//! Groups: sequences of instructions that are safe only together, and are verified as one.
//!
//! No branch can enter a group in its middle. A group lies within one line, and indirect branches
//! lead to the beginnings of lines. Direct branches into a group break [`Rule::Target`]. Each group
//! is an exact byte string, apart from the register.
//!
//! Each group adds the region's base, from memory at `%gs:` [`BASE`], to a register whose upper
//! half the previous instruction has cleared. So the sum is in the region.
//!
//! [`Rule::Target`]: crate::Rule::Target

use crate::region::BASE;

/// A verified group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) length: usize,
    /// True if control does not continue behind it.
    pub(crate) jumps: bool,
    /// True if it pushes, which is an access to the stack.
    pub(crate) pushes: bool,
}

/// `addq %gs:BASE, %register`, in its only allowed encoding.
const fn add_base(register: u8) -> [u8; 9] {
    let [a, b, c, d] = BASE.to_le_bytes();
    [0x65, 0x48 | (register >> 3) << 2, 0x03, 0x04 | (register & 7) << 3, 0x25, a, b, c, d]
}

/// `andl $-32, %r32; addq %gs:BASE, %r64`, then `jmp *%r64`, `call *%r64`, or `pushq %r64; ret`.
///
/// The 32-bit AND clears the upper half, and rounds down to the beginning of a line. A 64-bit AND
/// would keep the upper half; its encoding differs (48 in place of 41), so it does not match.
///
/// The pushed address is in memory when `ret` reads it. It has not changed, since no other thread
/// runs on this stack. A region with several threads would need `jmp` instead.
pub(crate) fn branch(line: &[u8]) -> Option<Group> {
    let (register, rest) = match line {
        [0x83, modrm @ 0xe0..=0xe7, 0xe0, rest @ ..] => (modrm & 7, rest),
        [0x41, 0x83, modrm @ 0xe0..=0xe7, 0xe0, rest @ ..] => (modrm & 7 | 8, rest),
        _ => return None,
    };
    // RSP would be the base of the stack operands in between.
    if register == 4 {
        return None;
    }
    let rest = rest.strip_prefix(&add_base(register))?;
    let rest = if register >= 8 { rest.strip_prefix(&[0x41])? } else { rest };
    let low = register & 7;
    let (jumps, pushes) = match rest {
        [0xff, modrm, ..] if *modrm == 0xe0 | low => (true, false),
        [0xff, modrm, ..] if *modrm == 0xd0 | low => (false, true),
        [push, 0xc3, ..] if *push == 0x50 | low => (true, true),
        _ => return None,
    };
    Some(Group { length: line.len() - rest.len() + 2, jumps, pushes })
}

/// `movl %edi, %edi; addq %gs:BASE, %rdi`, the same for RSI where it is used, and one string
/// instruction.
///
/// A segment prefix is not allowed, since it would change where RSI points. RDI's segment cannot be
/// changed. An address size prefix is not allowed, since it would use only the low halves as
/// addresses, in the lowest 4 GiB of the host. A repeated instruction runs upwards, since nothing
/// allowed sets the direction flag. It ends at the latest in the pages at the region's end, which
/// are never mapped.
pub(crate) fn string(line: &[u8]) -> Option<Group> {
    const RDI: u8 = 7;
    const RSI: u8 = 6;
    let pointer = |line, register: u8| -> Option<&[u8]> {
        let rest = <[u8]>::strip_prefix(line, &[0x89, 0xc0 | register << 3 | register])?;
        rest.strip_prefix(&add_base(register))
    };
    let (rest, has_rdi) = pointer(line, RDI).map_or((line, false), |rest| (rest, true));
    let (rest, has_rsi) = pointer(rest, RSI).map_or((rest, false), |rest| (rest, true));
    let rest = rest.strip_prefix(&[0xf3]).or_else(|| rest.strip_prefix(&[0xf2])).unwrap_or(rest);
    // Operands of 16 or 64 bits.
    let is_wide = matches!(rest, [0x66 | 0x48, opcode, ..] if opcode & 1 == 1);
    let rest = if is_wide { rest.get(1..)? } else { rest };
    let (opcode, rest) = rest.split_first()?;
    let is_right = match opcode {
        // MOVS, CMPS; STOS, SCAS; LODS.
        0xa4..=0xa7 => has_rdi && has_rsi,
        0xaa | 0xab | 0xae | 0xaf => has_rdi,
        0xac | 0xad => has_rsi,
        _ => false,
    };
    is_right.then_some(Group { length: line.len() - rest.len(), jumps: false, pushes: false })
}

/// The length of the instruction that must directly follow a write to ESP: `addq %gs:BASE, %rsp`.
/// The write has cleared the upper half of RSP.
///
/// In between, RSP is below 4 GiB. The kernel would write a signal frame there, so all of the
/// host's signal handlers must use an alternate stack.
pub(crate) fn stack_end(line: &[u8]) -> Option<usize> {
    line.strip_prefix(&add_base(4)).map(|rest| line.len() - rest.len())
}
