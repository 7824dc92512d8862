//! A useful function, as a rewriter would generate it, is accepted and works.

use omniglot_verify::{TEXT_MIN, Text, verify};

use crate::region::{GATES, Region, STACK, TEXT};
use crate::run::{RIP, RSP};

const HLT: u8 = 0xf4;
/// Each is a line of the text, padded to its full length.
const LINES: [&[u8]; 4] = [
    // subq $24, %rsp; movq %rdi, 8(%rsp); xorl %eax, %eax; movl $0x04030201, %gs:(%edi);
    // nopl (%rax); jmp the next line
    &[
        0x48, 0x83, 0xec, 0x18, 0x48, 0x89, 0x7c, 0x24, 0x08, 0x31, 0xc0, 0x65, 0x67, 0xc7, 0x07,
        1, 2, 3, 4, 0x0f, 0x1f, 0x00, 0xeb, 0x08,
    ],
    // 1: movzbl %gs:(%edi), %ecx; addl %ecx, %eax; incl %edi; decl %esi; jne 1b; 14 bytes of
    // no-operations; call the last line, at this line's end, so that it returns to the next one
    &[
        0x65, 0x67, 0x0f, 0xb6, 0x0f, 0x01, 0xc8, 0xff, 0xc7, 0xff, 0xce, 0x75, 0xf3, 0x66, 0x0f,
        0x1f, 0x84, 0, 0, 0, 0, 0, 0x0f, 0x1f, 0x44, 0, 0, 0xe8, 0x20, 0, 0, 0,
    ],
    // addq $24, %rsp; pushq %rax; popq %rax; jmp to the gate
    &[0x48, 0x83, 0xc4, 0x18, 0x50, 0x58, 0xe9, 0xb5, 0xff, 0x03, 0x00],
    // leal 1(%rax,%rax), %eax; popq %r11; andl $-32, %r11d; addq %gs:BASE, %r11; pushq %r11; ret
    &[
        0x8d, 0x44, 0x00, 0x01, 0x41, 0x5b, 0x41, 0x83, 0xe3, 0xe0, 0x65, 0x4c, 0x03, 0x1c, 0x25,
        0x00, 0xf0, 0x03, 0x00, 0x41, 0x53, 0xc3,
    ],
];

/// Calls code that adds four bytes, and lets another function double the sum and add one.
///
/// # Errors
/// A description of what happened instead.
pub(crate) fn works(region: &mut Region) -> Result<(), String> {
    const SUM: u64 = 2 * (1 + 2 + 3 + 4) + 1;
    const RAX: usize = 0;
    const RSI: usize = 6;
    const RDI: usize = 7;
    let mut text = [HLT; TEXT];
    for (place, line) in text.chunks_exact_mut(32).zip(LINES) {
        place[..line.len()].copy_from_slice(line);
    }
    let gates = GATES..GATES + 4096;
    verify(&Text { bytes: &text, at: TEXT_MIN, gates }).map_err(|refusal| refusal.to_string())?;
    region.put(&text);
    let mut registers = [0; 18];
    registers[RSP] = region.base() + STACK;
    registers[RDI] = Region::data()[0];
    registers[RSI] = 4;
    let base = region.base();
    let stops = region.run(&registers, 0, false);
    let Some(last) = stops.last() else { return Err("it did not stop".to_owned()) };
    let found = &last.registers;
    let is_right = found[RIP] == base + GATES && found[RAX] == SUM && found[RSP] == base + STACK;
    if is_right { Ok(()) } else { Err(format!("it ended so: {last:x?}")) }
}
