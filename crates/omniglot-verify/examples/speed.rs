//! Measures how fast texts are verified: `cargo run --release -p omniglot-verify --example speed`.
#![forbid(unsafe_code)]

use std::time::Instant;

use omniglot_verify::{BASE, TEXT_MIN, Text, verify};

const LENGTH: usize = 16 << 20;
const ROUNDS: usize = 10;

/// Four lines as compilers and the rewriter produce them: 25 instructions and groups.
fn lines() -> Vec<u8> {
    let [a, b, c, d] = BASE.to_le_bytes();
    let lines: [&[u8]; 4] = [
        // push %rbp; push %rbx; sub $24, %rsp; mov %rdi, 8(%rsp); movl %gs:(%edi), %eax;
        // addl %gs:16(%esi,%ecx,4), %eax; xor %edx, %edx; nop
        &[
            0x55, 0x53, 0x48, 0x83, 0xec, 0x18, 0x48, 0x89, 0x7c, 0x24, 0x08, 0x65, 0x67, 0x8b,
            0x07, 0x65, 0x67, 0x03, 0x44, 0x8e, 0x10, 0x31, 0xd2, 0x66, 0x0f, 0x1f, 0x84, 0, 0, 0,
            0, 0,
        ],
        // lea 1(%rax,%rax), %ecx; movzbl %gs:(%ecx), %r8d; cmp $7, %r8d; jne back; test %eax, %eax;
        // je; imul %r8d, %eax; movups %gs:(%edi), %xmm0; nop
        &[
            0x8d, 0x4c, 0x00, 0x01, 0x65, 0x67, 0x44, 0x0f, 0xb6, 0x01, 0x41, 0x83, 0xf8, 0x07,
            0x75, 0xf0, 0x85, 0xc0, 0x74, 0xfe, 0x41, 0x0f, 0xaf, 0xc0, 0x65, 0x67, 0x0f, 0x10,
            0x07, 0x0f, 0x1f, 0x00,
        ],
        // movups %xmm0, %gs:(%esi); shr $3, %eax; nops; call the next line
        &[
            0x65, 0x67, 0x0f, 0x11, 0x06, 0xc1, 0xe8, 0x03, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0, 0x66,
            0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0, 0x66, 0x90, 0xe8, 0, 0, 0, 0,
        ],
        // add $24, %rsp; pop %rbx; pop %rbp; pop %r11; and $-32, %r11d; add %gs:BASE, %r11;
        // push %r11; ret; nop
        &[
            0x48, 0x83, 0xc4, 0x18, 0x5b, 0x5d, 0x41, 0x5b, 0x41, 0x83, 0xe3, 0xe0, 0x65, 0x4c,
            0x03, 0x1c, 0x25, a, b, c, d, 0x41, 0x53, 0xc3, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0,
        ],
    ];
    lines.concat()
}

fn main() {
    let lines = lines();
    let mut bytes: Vec<u8> = lines.iter().copied().cycle().take(LENGTH).collect();
    let end = bytes.len() - 32;
    bytes[end..].fill(0xf4);
    let text = Text { bytes: &bytes, at: TEXT_MIN, gates: 0..0 };
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        match verify(&text) {
            Ok(uses) => {
                best = best.min(start.elapsed().as_secs_f64());
                assert!(uses.instructions > 0, "nothing was looked at");
            }
            Err(refusal) => return println!("the example's own code is refused: {refusal}"),
        }
    }
    let megabytes = LENGTH as f64 / 1e6;
    println!("{megabytes:.1} MB in {:.1} ms: {:.0} MB/s", best * 1e3, megabytes / best);
}
