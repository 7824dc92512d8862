//! Groups: instructions that are safe one after the other only, and so are read as one.
//!
//! Nobody enters a group in its middle: it lies within one line, so no indirect branch does
//! (those lead to lines' beginnings), and no direct branch may ([`Rule::Target`]). Each is an
//! exact string of bytes, but for the register.
//!
//! All end in adding the region's base, which lies in memory at `%gs:` [`BASE`], to a register
//! whose upper half the instruction before has cleared. So the sum is in the region.
//!
//! [`Rule::Target`]: crate::Rule::Target

use crate::region::BASE;

/// A group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) length: usize,
    /// Whether control does not go on behind it.
    pub(crate) jumps: bool,
    /// Whether it pushes, which is an access to the stack.
    pub(crate) pushes: bool,
}

/// `addq %gs:BASE, %register`, in the one spelling.
const fn add_base(register: u8) -> [u8; 9] {
    let [a, b, c, d] = BASE.to_le_bytes();
    [0x65, 0x48 | (register >> 3) << 2, 0x03, 0x04 | (register & 7) << 3, 0x25, a, b, c, d]
}

/// `andl $-32, %r32; addq %gs:BASE, %r64`, then `jmp *%r64`, `call *%r64`, or `pushq %r64; ret`.
///
/// The 32-bit AND clears the upper half and leaves the beginning of a line. A 64-bit one would
/// leave the upper half: 48 in the place of 41 is another string of bytes.
///
/// What is pushed is in memory when `ret` takes it. It is still the same, since no other thread
/// runs on this stack; a region with several would need `jmp` in its place.
pub(crate) fn branch(line: &[u8]) -> Option<Group> {
    let (register, rest) = match line {
        [0x83, modrm @ 0xe0..=0xe7, 0xe0, rest @ ..] => (modrm & 7, rest),
        [0x41, 0x83, modrm @ 0xe0..=0xe7, 0xe0, rest @ ..] => (modrm & 7 | 8, rest),
        _ => return None,
    };
    // RSP would be the base of the stack operands meanwhile.
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
/// It must have no segment prefix: that changes where RSI leads, and RDI's segment cannot be
/// changed. Nor an address size prefix: it would use the low halves alone, which are addresses in
/// the lowest 4 GiB of the host. Repeated, it runs upwards, since nothing allowed sets the
/// direction flag, into pages at the region's end that are never mapped.
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
    // Of 16 or 64 bits.
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

/// What must follow at once where ESP was written, and with it RSP's upper half cleared:
/// `addq %gs:BASE, %rsp`. Its length.
///
/// In between RSP is below 4 GiB. A signal's frame would be written there, so all of the
/// host's handlers must be on an alternate stack.
pub(crate) fn stack_end(line: &[u8]) -> Option<usize> {
    line.strip_prefix(&add_base(4)).map(|rest| line.len() - rest.len())
}
