//! Checks that each rule accepts what is right and refuses what is not: code by code, with the rule
//! that it breaks. The file uses nothing but the crate, so that it can be compiled with a mutated
//! crate (`mutants.rs`).
//!
//! The code was written in assembly language, which is in the comments. Where an assembler would
//! choose another encoding, the bytes count.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

use omniglot_verify::{BASE, LINE, Refusal, Rule, TEXT_MAX, TEXT_MIN, Text, Uses, verify};

/// The name of a case, its bytes, and the expected result.
type Case = (&'static str, &'static [u8], Result<(), Rule>);

const PAGE: usize = 4096;
const HLT: u8 = 0xf4;
/// `addq %gs:BASE, %rax`.
const ADD_BASE: [u8; 9] = [0x65, 0x48, 0x03, 0x04, 0x25, 0x00, 0xf0, 0x03, 0x00];

/// A page with code at some offsets, and hlt everywhere else.
fn page(parts: &[(usize, &[u8])]) -> Vec<u8> {
    let mut page = vec![HLT; PAGE];
    for (at, bytes) in parts {
        page[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    page
}

fn check_at(bytes: &[u8], at: u64, gates: std::ops::Range<u64>) -> Result<Uses, Refusal> {
    verify(&Text { bytes, at, gates })
}

fn check(parts: &[(usize, &[u8])]) -> Result<Uses, Refusal> {
    check_at(&page(parts), TEXT_MIN, 0..0)
}

fn rule(result: Result<Uses, Refusal>) -> Result<(), Rule> {
    result.map(drop).map_err(|refusal| refusal.rule)
}

fn check_all(cases: &[Case]) {
    let wrong = cases.iter().filter_map(|(name, bytes, expected)| {
        let found = rule(check(&[(0, bytes)]));
        (found != *expected).then(|| format!("{name}: {found:?}, not {expected:?}"))
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn memory_operands_are_confined() {
    check_all(MEMORY);
}

#[test]
fn opcodes_are_in_the_list() {
    check_all(OPCODES);
}

#[test]
fn there_is_one_spelling() {
    check_all(PREFIXES);
}

#[test]
fn the_stack_pointer_stays() {
    check_all(STACK);
}

#[test]
fn groups_are_whole() {
    check_all(GROUPS);
}

#[test]
fn the_base_is_where_the_cases_say() {
    assert_eq!(ADD_BASE[5..], BASE.to_le_bytes());
}

const NOP_4: &[u8] = &[0x0f, 0x1f, 0x40, 0];
/// `andl $-32, %eax; addq %gs:BASE, %rax; jmp *%rax`.
const JUMP: [u8; 14] =
    [0x83, 0xe0, 0xe0, 0x65, 0x48, 0x03, 0x04, 0x25, 0x00, 0xf0, 0x03, 0x00, 0xff, 0xe0];

#[test]
fn nothing_lies_across_a_line() {
    // Up to the end of the line, and one byte more.
    assert_eq!(rule(check(&[(0, &[0x90; 28]), (28, NOP_4)])), Ok(()));
    assert_eq!(rule(check(&[(0, &[0x90; 29]), (29, NOP_4)])), Err(Rule::Line));
    let line = LINE as usize;
    for at in 0..line {
        let expected = if at + JUMP.len() <= line { Ok(()) } else { Err(()) };
        let found = rule(check(&[(0, &[0x90; 32][..at]), (at, &JUMP)]));
        assert_eq!(found.map_err(drop), expected, "a group at {at}");
    }
    // A group whose second half would begin in the next line.
    let stack =
        [&[0x89, 0xec][..], &[0x65, 0x48, 0x03, 0x24, 0x25, 0x00, 0xf0, 0x03, 0x00]].concat();
    assert_eq!(rule(check(&[(0, &[0x90; 21]), (21, &stack)])), Ok(()));
    assert_eq!(rule(check(&[(0, &[0x90; 30]), (30, &stack)])), Err(Rule::StackWrite));
    let string =
        [&[0x89, 0xff][..], &[0x65, 0x48, 0x03, 0x3c, 0x25, 0x00, 0xf0, 0x03, 0x00, 0xaa]].concat();
    assert_eq!(rule(check(&[(0, &[0x90; 20]), (20, &string)])), Ok(()));
    assert_eq!(rule(check(&[(0, &[0x90; 21]), (21, &string)])), Err(Rule::String));
}

/// `jmp` or another 32-bit branch from one offset of the text to another.
fn branch(opcode: &[u8], from: usize, to: i64) -> Vec<u8> {
    let distance = to - (from + opcode.len() + 4) as i64;
    [opcode, &(distance as i32).to_le_bytes()].concat()
}

#[test]
fn branches_lead_to_beginnings() {
    let branches: [&[u8]; 3] = [&[0xe9], &[0xe8], &[0x0f, 0x84]];
    for opcode in branches {
        let to = |target| {
            let branch = branch(opcode, 64, target);
            rule(check(&[(0, &JUMP), (32, NOP_4), (64, &branch)]))
        };
        assert_eq!(to(0), Ok(()), "the beginning of a group");
        for inside in 1..JUMP.len() as i64 {
            assert_eq!(to(inside), Err(Rule::Target), "{inside} in a group");
        }
        assert_eq!((to(14), to(32), to(64), to(4095)), (Ok(()), Ok(()), Ok(()), Ok(())));
        assert_eq!(
            (to(33), to(65), to(-1)),
            (Err(Rule::Target), Err(Rule::Target), Err(Rule::Outside))
        );
        assert_eq!((to(4096), to(-4096)), (Err(Rule::Outside), Err(Rule::Outside)));
        // Backwards and forwards by a whole 2^32.
        assert_eq!(to(i64::from(i32::MAX)), Err(Rule::Outside));
        assert_eq!(to(i64::from(i32::MIN) + 70), Err(Rule::Outside));
    }
    assert_eq!(rule(check(&[(0, &[0xeb, 1, 0x8b, 0xc0])])), Err(Rule::Target));
    assert_eq!(rule(check(&[(0, &[0x74, 0xfe])])), Ok(()));
    assert_eq!(rule(check(&[(0, &[0x74, 0xff])])), Err(Rule::Target));
    assert_eq!(rule(check(&[(0, &[0x74, 0xfd])])), Err(Rule::Outside));
}

#[test]
fn a_branch_that_leads_astray_is_named() {
    let astray = branch(&[0xe9], 64, 1);
    let refusal = check(&[(0, &JUMP), (32, &[0x74, 0xfe]), (64, &astray)]).unwrap_err();
    assert_eq!((refusal.rule, refusal.at), (Rule::Target, TEXT_MIN + 64));
}

#[test]
fn gates_are_reached_at_their_lines() {
    let gates = TEXT_MIN + 0x10000..TEXT_MIN + 0x12000;
    let to = |target: u64| {
        let branch = branch(&[0xe8], 0, target as i64 - TEXT_MIN as i64);
        rule(check_at(&page(&[(0, &branch)]), TEXT_MIN, gates.clone()))
    };
    assert_eq!(
        (to(gates.start), to(gates.start + 32), to(gates.end - 32)),
        (Ok(()), Ok(()), Ok(()))
    );
    for outside in [gates.start - 32, gates.start + 1, gates.start + 16, gates.end, 0, TEXT_MAX] {
        assert_eq!(to(outside), Err(Rule::Outside), "{outside:#x}");
    }
}

#[test]
fn the_text_lies_where_it_may() {
    let bytes = page(&[]);
    let at = |at| rule(check_at(&bytes, at, 0..0));
    let page = PAGE as u64;
    assert_eq!((at(TEXT_MIN), at(TEXT_MAX - page), at(1 << 31)), (Ok(()), Ok(()), Ok(())));
    let wrong = [0, TEXT_MIN - page, TEXT_MIN + 1, TEXT_MIN + 32, TEXT_MAX, TEXT_MAX - page + 32];
    for wrong in wrong.into_iter().chain([1 << 32, u64::MAX - 4095, u64::MAX]) {
        assert_eq!(at(wrong), Err(Rule::Layout), "{wrong:#x}");
    }
    for length in [0, 1, 32, PAGE - 1] {
        assert_eq!(rule(check_at(&bytes[..length], TEXT_MIN, 0..0)), Err(Rule::Layout));
    }
    let gates = |gates| rule(check_at(&bytes, 2 * TEXT_MIN, gates));
    assert_eq!(gates(TEXT_MIN..TEXT_MIN + page), Ok(()));
    let text = 2 * TEXT_MIN;
    for wrong in [
        text..text + page,
        text - page..text + 2 * page,
        TEXT_MIN + 32..TEXT_MIN + page,
        TEXT_MIN..TEXT_MIN + 32,
        0..page,
        TEXT_MAX..TEXT_MAX + page,
    ] {
        assert_eq!(gates(wrong.clone()), Err(Rule::Layout), "{wrong:#x?}");
    }
}

#[test]
fn the_end_is_one() {
    let last = |bytes: &[u8]| {
        // No-operations of 4 bytes, so that these instructions are the last.
        let mut page: Vec<u8> = NOP_4.repeat(PAGE / 4);
        let start = PAGE - bytes.len();
        page[start / 4 * 4..start].fill(0x90);
        page[start..].copy_from_slice(bytes);
        rule(check_at(&page, TEXT_MIN, 0..0))
    };
    for good in [&[HLT][..], &[0x0f, 0x0b], &[0xeb, 0xfe], &[0xe9, 0xfb, 0xff, 0xff, 0xff], &JUMP] {
        assert_eq!(last(good), Ok(()), "{good:02x?}");
    }
    let call = branch(&[0xe8], PAGE - 5, 0);
    for bad in [&[0x90][..], &[0x74, 0xfe], &call, &ADD_BASE, &[0xf4, 0x90]] {
        assert_eq!(last(bad), Err(Rule::End), "{bad:02x?}");
    }
    for cut in [&[0xe9][..], &[0x0f], &[0x65, 0x67, 0x8b], &[0xc5], &[0xb8, 0, 0]] {
        assert!(last(cut).is_err(), "{cut:02x?}");
    }
    assert_eq!(last(&[0xb8, 0, 0]), Err(Rule::Truncated));
    assert_eq!(last(&[0x48, 0x83, 0xec, 8, HLT]), Err(Rule::StackStep));
}

#[test]
fn an_access_to_the_stack_is_one_that_is_certain() {
    let step: &[u8] = &[0x48, 0x83, 0xec, 8];
    let after = |code: &[u8]| rule(check(&[(0, &[step, code, step, &[0x50]].concat())]));
    let certain: [&[u8]; 8] = [
        &[0x8b, 0x04, 0x24],             // movl (%rsp), %eax
        &[0x88, 0x44, 0x24, 8],          // movb %al, 8(%rsp)
        &[0x48, 0x83, 0x0c, 0x24, 0],    // orq $0, (%rsp)
        &[0xc7, 0x04, 0x24, 1, 0, 0, 0], // movl $1, (%rsp)
        &[0x0f, 0x11, 0x04, 0x24],       // movups %xmm0, (%rsp)
        &[0x66, 0x0f, 0x6f, 0x04, 0x24], // movdqa (%rsp), %xmm0
        &[0xc5, 0xfc, 0x29, 0x04, 0x24], // vmovaps %ymm0, (%rsp)
        &[0x0f, 0xb6, 0x04, 0x24],       // movzbl (%rsp), %eax
    ];
    for code in certain {
        assert_eq!(after(code), Ok(()), "{code:02x?}");
    }
    let uncertain: [&[u8]; 7] = [
        &[0x66, 0x0f, 0x3a, 0x0e, 0x04, 0x24, 0], // pblendw $0, (%rsp), %xmm0
        &[0xc4, 0xe3, 0x7d, 0x06, 0x04, 0x24, 0x88], // vperm2f128 $0x88, (%rsp), %ymm0, %ymm0
        &[0x66, 0x0f, 0x3a, 0x62, 0x04, 0x24, 0], // pcmpistrm $0, (%rsp), %xmm0
        &[0x0f, 0x58, 0x04, 0x24],                // addps (%rsp), %xmm0
        &[0xc4, 0xe2, 0xf8, 0xf5, 0x04, 0x24],    // bzhi %rax, (%rsp), %rax
        &[0xd9, 0x04, 0x24],                      // flds (%rsp)
        &[0xd1, 0x24, 0x24],                      // shll (%rsp)
    ];
    for code in uncertain {
        assert_eq!(after(code), Err(Rule::StackStep), "{code:02x?}");
    }
}

#[test]
fn a_step_of_the_stack_is_forgotten_by_an_access_only() {
    let step: &[u8] = &[0x48, 0x83, 0xec, 8];
    let touch: &[u8] = &[0x48, 0x83, 0x0c, 0x24, 0];
    let code = |parts: &[&[u8]]| rule(check(&[(0, &parts.concat())]));
    assert_eq!(code(&[step, touch, step, touch]), Ok(()));
    assert_eq!(code(&[step, NOP_4, touch]), Ok(()));
    assert_eq!(code(&[step, NOP_4, step]), Err(Rule::StackStep));
    let refusal = check(&[(0, step), (4, NOP_4), (8, step)]).unwrap_err();
    assert_eq!(refusal.at, TEXT_MIN, "the step is what is named");
}

#[test]
fn what_a_text_uses_is_told() {
    let uses = |code: &[u8]| check(&[(0, code)]).unwrap();
    let none = Uses { instructions: PAGE as u64, ..Uses::default() };
    assert_eq!(uses(&[0x90]), none);
    assert_eq!(uses(&[0xd9, 0xe8]), Uses { x87: true, instructions: PAGE as u64 - 1, ..none });
    assert!(uses(&[0x65, 0x67, 0x0f, 0xae, 0x17]).mxcsr);
    assert!(uses(&[0x65, 0x67, 0x0f, 0xae, 0x1f]).mxcsr);
    assert!(uses(&[0xc5, 0xf8, 0x77]).avx);
    let group = uses(&JUMP);
    assert_eq!(group.instructions, (PAGE - JUMP.len()) as u64 + 1);
}

#[test]
fn refusals_say_where_what_and_what_to_do() {
    let refusal = check(&[(0, &[0x90, 0x0f, 0x05])]).unwrap_err();
    let text = refusal.to_string();
    for part in ["at 0x40001 (0f 05 f4", "not in the list", "(Opcode)", "rewriter"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for rule in Rule::ALL {
        assert!(!rule.wrong().is_empty() && !rule.remedy().is_empty(), "{rule:?}");
    }
}

/// Memory operands, confined and not.
const MEMORY: &[Case] = &[
    ("movl %gs:(%edi), %eax", b"\x65\x67\x8b\x07", Ok(())),
    (
        "movq %rax, %gs:0x7fffffff(%r12d,%r13d,8)",
        b"\x65\x67\x4b\x89\x84\xec\xff\xff\xff\x7f",
        Ok(()),
    ),
    ("movaps %gs:-64(%esp), %xmm3", b"\x65\x67\x0f\x28\x5c\x24\xc0", Ok(())),
    ("movb %gs:(,%eax,2), %r9b", b"\x65\x67\x44\x8a\x0c\x45\x00\x00\x00\x00", Ok(())),
    ("movl %gs:0xffffffff, %eax in 32 bits", b"\x65\x67\x8b\x04\x25\xff\xff\xff\xff", Ok(())),
    ("movl %gs:0x12345678, %eax", b"\x65\x8b\x04\x25\x78\x56\x34\x12", Ok(())),
    ("movl %gs:0x7fffffff, %eax", b"\x65\x8b\x04\x25\xff\xff\xff\x7f", Ok(())),
    ("movl %gs:0xffffffff80000000, %eax", b"\x65\x8b\x04\x25\x00\x00\x00\x80", Err(Rule::Absolute)),
    ("movl (%rdi), %eax", b"\x8b\x07", Err(Rule::Memory)),
    ("movl (%rbp), %eax", b"\x8b\x45\x00", Err(Rule::Memory)),
    ("movl %gs:(%rdi), %eax", b"\x65\x8b\x07", Err(Rule::Memory)),
    ("movl (%edi), %eax", b"\x67\x8b\x07", Err(Rule::Memory)),
    ("movl %fs:(%edi), %eax", b"\x64\x67\x8b\x07", Err(Rule::Opcode)),
    ("movl 0x100000, %eax", b"\x8b\x04\x25\x00\x00\x10\x00", Err(Rule::Memory)),
    ("movl 0x100000, %eax in 32 bits", b"\x67\x8b\x04\x25\x00\x00\x10\x00", Err(Rule::Memory)),
    ("movl (%rax,%rbx,4), %eax", b"\x8b\x04\x98", Err(Rule::Memory)),
    ("movl (%rsp,%rbx), %eax", b"\x8b\x04\x1c", Err(Rule::Memory)),
    ("movl (%rsp,%r12), %eax", b"\x42\x8b\x04\x24", Err(Rule::Memory)),
    ("movl (%r12), %eax", b"\x41\x8b\x04\x24", Err(Rule::Memory)),
    ("movl (%esp), %eax without %gs:", b"\x67\x8b\x04\x24", Err(Rule::Memory)),
    ("movl %gs:(%rsp), %eax", b"\x65\x8b\x04\x24", Err(Rule::Memory)),
    ("movl -0xffff(%rsp), %eax", b"\x8b\x84\x24\x01\x00\xff\xff", Ok(())),
    ("movq %rax, 0xffff(%rsp)", b"\x48\x89\x84\x24\xff\xff\x00\x00", Ok(())),
    ("movl 0x10000(%rsp), %eax", b"\x8b\x84\x24\x00\x00\x01\x00", Err(Rule::StackOffset)),
    ("movl -0x10000(%rsp), %eax", b"\x8b\x84\x24\x00\x00\xff\xff", Err(Rule::StackOffset)),
    ("movl 0(%rip), %eax", b"\x8b\x05\x00\x00\x00\x00", Ok(())),
    ("movl at 0 of the region", b"\x8b\x05\xfa\xff\xfb\xff", Ok(())),
    ("movl at -1 of the region", b"\x8b\x05\xf9\xff\xfb\xff", Err(Rule::Relative)),
    (
        "the immediate counts: movl $0 at 2 of the region",
        b"\xc7\x05\xf8\xff\xfb\xff\x00\x00\x00\x00",
        Ok(()),
    ),
    (
        "the immediate counts: movl $0 at -1 of the region",
        b"\xc7\x05\xf5\xff\xfb\xff\x00\x00\x00\x00",
        Err(Rule::Relative),
    ),
    ("movl far before the region", b"\x8b\x05\x00\x00\x00\x80", Err(Rule::Relative)),
    ("movl 0(%eip), %eax", b"\x67\x8b\x05\x00\x00\x00\x00", Err(Rule::Memory)),
    ("movl %gs:0(%rip), %eax", b"\x65\x8b\x05\x00\x00\x00\x00", Err(Rule::Memory)),
    ("movl %gs:0(%eip), %eax", b"\x65\x67\x8b\x05\x00\x00\x00\x00", Err(Rule::Memory)),
    ("movabs 0, %eax", b"\xa1\x00\x00\x00\x00\x00\x00\x00\x00", Err(Rule::Opcode)),
    ("movl %gs:0, %eax by A1", b"\x65\x67\xa1\x00\x00\x00\x00", Err(Rule::Opcode)),
    ("leaq 0x1000(%rax,%rbx,8), %rcx", b"\x48\x8d\x8c\xd8\x00\x10\x00\x00", Ok(())),
    ("leal (%rsp), %eax", b"\x8d\x04\x24", Ok(())),
    ("leaq far away(%rip), %rax", b"\x48\x8d\x05\x00\x00\x00\x80", Ok(())),
    ("leal %gs:(%edi), %eax", b"\x65\x67\x8d\x07", Err(Rule::Prefix)),
    ("leal %eax, %eax", b"\x8d\xc0", Err(Rule::Operand)),
    ("btl %eax, %gs:(%edi)", b"\x65\x67\x0f\xa3\x07", Err(Rule::Operand)),
    ("btsq %rax, %gs:(%edi)", b"\x65\x67\x48\x0f\xab\x07", Err(Rule::Operand)),
    ("lock btrq %rax, %gs:(%edi)", b"\x65\x67\xf0\x48\x0f\xb3\x07", Err(Rule::Operand)),
    ("btcw %ax, %gs:(%edi)", b"\x65\x67\x66\x0f\xbb\x07", Err(Rule::Operand)),
    ("btl $7, %gs:(%edi)", b"\x65\x67\x0f\xba\x27\x07", Ok(())),
    ("btsl %eax, %ebx", b"\x0f\xab\xc3", Ok(())),
    ("xlatb", b"\xd7", Err(Rule::Opcode)),
    ("maskmovdqu %xmm0, %xmm1", b"\x66\x0f\xf7\xc8", Err(Rule::Opcode)),
    ("vmaskmovdqu %xmm0, %xmm1", b"\xc5\xf9\xf7\xc8", Err(Rule::Opcode)),
    (
        "vpgatherdd %xmm0, %gs:(%eax,%xmm1,4), %xmm2",
        b"\x65\x67\xc4\xe2\x79\x90\x14\x88",
        Err(Rule::Opcode),
    ),
    (
        "vgatherqpd %ymm0, %gs:(%eax,%ymm1,8), %ymm2",
        b"\x65\x67\xc4\xe2\xfd\x93\x14\xc8",
        Err(Rule::Opcode),
    ),
    ("vmaskmovps %gs:(%edi), %xmm1, %xmm2", b"\x65\x67\xc4\xe2\x71\x2c\x17", Ok(())),
    ("prefetcht0 %gs:(%edi)", b"\x65\x67\x0f\x18\x0f", Ok(())),
    ("prefetcht0 (%rdi)", b"\x0f\x18\x0f", Err(Rule::Memory)),
    ("pushq (%rdi)", b"\xff\x37", Err(Rule::Memory)),
    ("popq (%rdi)", b"\x8f\x07", Err(Rule::Memory)),
    ("pushq %gs:(%edi)", b"\x65\x67\xff\x37", Ok(())),
    ("popq %gs:(%edi)", b"\x65\x67\x8f\x07", Ok(())),
    ("pushq 8(%rsp)", b"\xff\x74\x24\x08", Ok(())),
    ("cmpxchg16b (%rdi)", b"\x48\x0f\xc7\x0f", Err(Rule::Memory)),
    ("lock cmpxchg16b %gs:(%edi)", b"\x65\x67\xf0\x48\x0f\xc7\x0f", Ok(())),
    ("fldt (%rdi)", b"\xdb\x2f", Err(Rule::Memory)),
    ("fldt %gs:(%edi)", b"\x65\x67\xdb\x2f", Ok(())),
    ("vmovaps (%rdi), %ymm0", b"\xc5\xfc\x28\x07", Err(Rule::Memory)),
    ("vmovaps %gs:(%edi), %ymm0", b"\x65\x67\xc5\xfc\x28\x07", Ok(())),
    ("addl $1, (%rdi)", b"\x83\x07\x01", Err(Rule::Memory)),
    ("movntdq %xmm0, (%rdi)", b"\x66\x0f\xe7\x07", Err(Rule::Memory)),
    ("ldmxcsr (%rdi)", b"\x0f\xae\x17", Err(Rule::Memory)),
    ("setz (%rdi)", b"\x0f\x94\x07", Err(Rule::Memory)),
];

/// Opcodes, by form.
const OPCODES: &[Case] = &[
    ("addq %rax, %rbx", b"\x48\x01\xc3", Ok(())),
    ("imulq $5, %rax, %rbx", b"\x48\x6b\xd8\x05", Ok(())),
    ("cvttsd2si %xmm0, %rax", b"\xf2\x48\x0f\x2c\xc0", Ok(())),
    ("pshufd $1, %xmm0, %xmm1", b"\x66\x0f\x70\xc8\x01", Ok(())),
    ("aesenc %xmm0, %xmm1", b"\x66\x0f\x38\xdc\xc8", Ok(())),
    ("crc32b %al, %ecx", b"\xf2\x0f\x38\xf0\xc8", Ok(())),
    ("vfmadd231pd %ymm0, %ymm1, %ymm2", b"\xc4\xe2\xf5\xb8\xd0", Ok(())),
    ("pdep %rax, %rbx, %rcx", b"\xc4\xe2\xe3\xf5\xc8", Ok(())),
    ("bswapq %r11", b"\x49\x0f\xcb", Ok(())),
    ("lahf", b"\x9f", Ok(())),
    ("pause", b"\xf3\x90", Ok(())),
    ("mfence", b"\x0f\xae\xf0", Ok(())),
    ("vzeroupper", b"\xc5\xf8\x77", Ok(())),
    ("fsin", b"\xd9\xfe", Ok(())),
    ("fucomip %st(1)", b"\xdf\xe9", Ok(())),
    ("endbr64", b"\xf3\x0f\x1e\xfa", Ok(())),
    ("stc", b"\xf9", Ok(())),
    ("vmovsd %xmm1, %xmm2, %xmm3", b"\xc5\xeb\x10\xd9", Ok(())),
    ("vmovsd %gs:(%edi), %xmm3", b"\x65\x67\xc5\xfb\x10\x1f", Ok(())),
    ("vmovss %xmm3, %gs:(%edi)", b"\x65\x67\xc5\xfa\x11\x1f", Ok(())),
    ("vmovsd %gs:(%edi), %xmm3 with a third register", b"\x65\x67\xc5\xeb\x10\x1f", Err(Rule::Vex)),
    ("ud2", b"\x0f\x0b", Ok(())),
    ("hlt", b"\xf4", Ok(())),
    ("movd %xmm0, %eax", b"\x66\x0f\x7e\xc0", Ok(())),
    ("syscall", b"\x0f\x05", Err(Rule::Opcode)),
    ("sysenter", b"\x0f\x34", Err(Rule::Opcode)),
    ("sysret", b"\x0f\x07", Err(Rule::Opcode)),
    ("int $0x80", b"\xcd\x80", Err(Rule::Opcode)),
    ("int3", b"\xcc", Err(Rule::Opcode)),
    ("iretq", b"\x48\xcf", Err(Rule::Opcode)),
    ("int1", b"\xf1", Err(Rule::Opcode)),
    ("in %dx, %al", b"\xec", Err(Rule::Opcode)),
    ("out %al, %dx", b"\xee", Err(Rule::Opcode)),
    ("insb", b"\x6c", Err(Rule::Opcode)),
    ("outsb", b"\x6e", Err(Rule::Opcode)),
    ("cli", b"\xfa", Err(Rule::Opcode)),
    ("sti", b"\xfb", Err(Rule::Opcode)),
    ("cld", b"\xfc", Err(Rule::Opcode)),
    ("std", b"\xfd", Err(Rule::Opcode)),
    ("popfq", b"\x9d", Err(Rule::Opcode)),
    ("pushfq", b"\x9c", Err(Rule::Opcode)),
    ("cpuid", b"\x0f\xa2", Err(Rule::Opcode)),
    ("rdtsc", b"\x0f\x31", Err(Rule::Opcode)),
    ("rdtscp", b"\x0f\x01\xf9", Err(Rule::Opcode)),
    ("rdpmc", b"\x0f\x33", Err(Rule::Opcode)),
    ("xgetbv", b"\x0f\x01\xd0", Err(Rule::Opcode)),
    ("xsetbv", b"\x0f\x01\xd1", Err(Rule::Opcode)),
    ("wrpkru", b"\x0f\x01\xef", Err(Rule::Opcode)),
    ("rdpkru", b"\x0f\x01\xee", Err(Rule::Opcode)),
    ("rdrand %eax", b"\x0f\xc7\xf0", Err(Rule::Opcode)),
    ("rdseed %eax", b"\x0f\xc7\xf8", Err(Rule::Opcode)),
    ("rdpid %rax", b"\xf3\x0f\xc7\xf8", Err(Rule::Opcode)),
    ("rdfsbase %rax", b"\xf3\x48\x0f\xae\xc0", Err(Rule::Opcode)),
    ("rdgsbase %rax", b"\xf3\x48\x0f\xae\xc8", Err(Rule::Opcode)),
    ("wrfsbase %rax", b"\xf3\x48\x0f\xae\xd0", Err(Rule::Opcode)),
    ("wrgsbase %rax", b"\xf3\x48\x0f\xae\xd8", Err(Rule::Opcode)),
    ("swapgs", b"\x0f\x01\xf8", Err(Rule::Opcode)),
    ("sgdt %gs:(%edi)", b"\x65\x67\x0f\x01\x07", Err(Rule::Opcode)),
    ("sidt %gs:(%edi)", b"\x65\x67\x0f\x01\x0f", Err(Rule::Opcode)),
    ("sldt %eax", b"\x0f\x00\xc0", Err(Rule::Opcode)),
    ("str %eax", b"\x0f\x00\xc8", Err(Rule::Opcode)),
    ("smsw %eax", b"\x0f\x01\xe0", Err(Rule::Opcode)),
    ("lar %eax, %ebx", b"\x0f\x02\xd8", Err(Rule::Opcode)),
    ("lsl %eax, %ebx", b"\x0f\x03\xd8", Err(Rule::Opcode)),
    ("verr %ax", b"\x0f\x00\xe0", Err(Rule::Opcode)),
    ("verw %ax", b"\x0f\x00\xe8", Err(Rule::Opcode)),
    ("movw %ax, %gs", b"\x8e\xe8", Err(Rule::Opcode)),
    ("movl %eax, %fs", b"\x8e\xe0", Err(Rule::Opcode)),
    ("movw %gs, %ax", b"\x66\x8c\xe8", Err(Rule::Opcode)),
    ("pushq %fs", b"\x0f\xa0", Err(Rule::Opcode)),
    ("popq %gs", b"\x0f\xa9", Err(Rule::Opcode)),
    ("lss %gs:(%edi), %eax", b"\x65\x67\x0f\xb2\x07", Err(Rule::Opcode)),
    ("lfs %gs:(%edi), %eax", b"\x65\x67\x0f\xb4\x07", Err(Rule::Opcode)),
    ("lretq", b"\x48\xcb", Err(Rule::Opcode)),
    ("lcall *%gs:(%edi)", b"\x65\x67\xff\x1f", Err(Rule::Opcode)),
    ("ljmp *%gs:(%edi)", b"\x65\x67\xff\x2f", Err(Rule::Opcode)),
    ("enter $8, $0", b"\xc8\x08\x00\x00", Err(Rule::Opcode)),
    ("leave", b"\xc9", Err(Rule::Opcode)),
    ("loop .", b"\xe2\xfe", Err(Rule::Opcode)),
    ("loopne .", b"\xe0\xfe", Err(Rule::Opcode)),
    ("jrcxz .", b"\xe3\xfe", Err(Rule::Opcode)),
    ("xbegin .", b"\xc7\xf8\xfa\xff\xff\xff", Err(Rule::Opcode)),
    ("xtest", b"\x0f\x01\xd6", Err(Rule::Opcode)),
    ("xend", b"\x0f\x01\xd5", Err(Rule::Opcode)),
    ("fxsave %gs:(%edi)", b"\x65\x67\x0f\xae\x07", Err(Rule::Opcode)),
    ("fxrstor %gs:(%edi)", b"\x65\x67\x0f\xae\x0f", Err(Rule::Opcode)),
    ("xsave %gs:(%edi)", b"\x65\x67\x0f\xae\x27", Err(Rule::Opcode)),
    ("xrstor %gs:(%edi)", b"\x65\x67\x0f\xae\x2f", Err(Rule::Opcode)),
    ("xsavec %gs:(%edi)", b"\x65\x67\x0f\xc7\x27", Err(Rule::Opcode)),
    ("fnsave %gs:(%edi)", b"\x65\x67\xdd\x37", Err(Rule::Opcode)),
    ("frstor %gs:(%edi)", b"\x65\x67\xdd\x27", Err(Rule::Opcode)),
    ("fnstenv %gs:(%edi)", b"\x65\x67\xd9\x37", Err(Rule::Opcode)),
    ("fldenv %gs:(%edi)", b"\x65\x67\xd9\x27", Err(Rule::Opcode)),
    ("clflush %gs:(%edi)", b"\x65\x67\x0f\xae\x3f", Err(Rule::Opcode)),
    ("clflushopt %gs:(%edi)", b"\x65\x67\x66\x0f\xae\x3f", Err(Rule::Opcode)),
    ("clwb %gs:(%edi)", b"\x65\x67\x66\x0f\xae\x37", Err(Rule::Opcode)),
    ("monitor", b"\x0f\x01\xc8", Err(Rule::Opcode)),
    ("mwait", b"\x0f\x01\xc9", Err(Rule::Opcode)),
    ("clzero", b"\x0f\x01\xfc", Err(Rule::Opcode)),
    ("umonitor %rax", b"\xf3\x0f\xae\xf0", Err(Rule::Opcode)),
    ("umwait %eax", b"\xf2\x0f\xae\xf0", Err(Rule::Opcode)),
    ("tpause %eax", b"\x66\x0f\xae\xf0", Err(Rule::Opcode)),
    ("movdir64b %gs:(%edi), %eax", b"\x65\x67\x66\x0f\x38\xf8\x07", Err(Rule::Opcode)),
    ("enqcmd %gs:(%edi), %eax", b"\x65\x67\xf2\x0f\x38\xf8\x07", Err(Rule::Opcode)),
    ("rdsspq %rax", b"\xf3\x48\x0f\x1e\xc8", Err(Rule::Rex)),
    ("incsspq %rax", b"\xf3\x48\x0f\xae\xe8", Err(Rule::Opcode)),
    ("serialize", b"\x0f\x01\xe8", Err(Rule::Opcode)),
    ("emms", b"\x0f\x77", Err(Rule::Opcode)),
    ("movq %mm0, %mm1", b"\x0f\x6f\xc8", Err(Rule::Opcode)),
    ("ud1 %eax, %ebx", b"\x0f\xb9\xd8", Err(Rule::Opcode)),
    ("vaddps %zmm0, %zmm1, %zmm2", b"\x62\xf1\x74\x48\x58\xd0", Err(Rule::Opcode)),
    ("movq %rax, %cr3", b"\x0f\x22\xd8", Err(Rule::Opcode)),
    ("movq %dr0, %rax", b"\x0f\x21\xc0", Err(Rule::Opcode)),
    ("wrmsr", b"\x0f\x30", Err(Rule::Opcode)),
    ("invlpg %gs:(%edi)", b"\x65\x67\x0f\x01\x3f", Err(Rule::Opcode)),
    ("senduipi %rax", b"\xf3\x0f\xc7\xf0", Err(Rule::Opcode)),
    ("ptwriteq %rax", b"\xf3\x48\x0f\xae\xe0", Err(Rule::Opcode)),
    ("cvtpi2ps %mm0, %xmm0", b"\x0f\x2a\xc0", Err(Rule::Opcode)),
    ("femms", b"\x0f\x0e", Err(Rule::Opcode)),
    ("vpermil2ps $0, %xmm0, %xmm1, %xmm2, %xmm3", b"\xc4\xe3\x69\x48\xd9\x00", Err(Rule::Opcode)),
    ("pfadd %mm0, %mm1", b"\x0f\x0f\xc8\x9e", Err(Rule::Opcode)),
    ("kmovw %eax, %k1", b"\xc5\xf8\x92\xc8", Err(Rule::Opcode)),
    ("ud0 %eax, %eax", b"\x0f\xff\xc0", Err(Rule::Opcode)),
    ("popq %rax by 8F", b"\x8f\xc0", Err(Rule::Operand)),
    ("the second shl", b"\xc0\xf0\x01", Err(Rule::Opcode)),
    ("the second test", b"\xf6\xc8\x01", Err(Rule::Opcode)),
    ("the second fcom", b"\xdc\xd0", Err(Rule::Opcode)),
    ("pushq %es", b"\x06", Err(Rule::Opcode)),
    ("REX2", b"\xd5\x01\x03\xc0", Err(Rule::Opcode)),
    ("EVEX", b"\x62\xf1\x7c\x48\x58\xc0", Err(Rule::Opcode)),
    ("XOP", b"\x8f\xe9\x78\x01\xc0", Err(Rule::Opcode)),
    ("icebp", b"\xf1", Err(Rule::Opcode)),
    ("far call", b"\x9a", Err(Rule::Opcode)),
    ("rdtscp", b"\x0f\x01\xf9", Err(Rule::Opcode)),
    ("rdrand %eax", b"\x0f\xc7\xf0", Err(Rule::Opcode)),
    ("cmpxchg8b %eax", b"\x0f\xc7\xc8", Err(Rule::Operand)),
];

/// Prefixes and spelling.
const PREFIXES: &[Case] = &[
    ("nop with a prefix twice", b"\x66\x66\x90", Err(Rule::Prefix)),
    ("%gs: twice", b"\x65\x65\x67\x8b\x07", Err(Rule::Prefix)),
    ("67 twice", b"\x65\x67\x67\x8b\x07", Err(Rule::Prefix)),
    ("rep and repne", b"\xf2\xf3\xa4", Err(Rule::Prefix)),
    ("rep and lock", b"\xf3\xf0\x65\x67\x01\x07", Err(Rule::Prefix)),
    ("jmp of 16 bits: processors disagree", b"\x66\xe9\x00\x00\x00\x00", Err(Rule::Opcode)),
    ("je of 16 bits", b"\x66\x0f\x84\x00\x00\x00\x00", Err(Rule::Opcode)),
    ("call of 16 bits", b"\x66\xe8\x00\x00\x00\x00", Err(Rule::Opcode)),
    ("je of 16 bits", b"\x66\x74\x00", Err(Rule::Opcode)),
    ("bnd call", b"\xf2\xe8\x00\x00\x00\x00", Err(Rule::Opcode)),
    ("bnd jmp", b"\xf2\xeb\x00", Err(Rule::Opcode)),
    ("notrack jmp", b"\x3e\xff\xe0", Err(Rule::Opcode)),
    ("je with a hint", b"\x2e\x74\x00", Err(Rule::Opcode)),
    ("%es:", b"\x26\x8b\x07", Err(Rule::Opcode)),
    ("%ss:", b"\x36\x8b\x07", Err(Rule::Opcode)),
    ("xrelease without lock", b"\xf3\x89\x07", Err(Rule::Opcode)),
    ("lock of a register", b"\xf0\x01\xc0", Err(Rule::Prefix)),
    ("lock of a load", b"\xf0\x65\x67\x8b\x07", Err(Rule::Prefix)),
    ("lock cmp", b"\xf0\x65\x67\x39\x07", Err(Rule::Prefix)),
    ("lock addl %eax, %gs:(%edi)", b"\x65\x67\xf0\x01\x07", Ok(())),
    ("lock shl", b"\xf0\x65\x67\xc1\x27\x01", Err(Rule::Prefix)),
    ("both operand sizes", b"\x66\x48\x01\xc0", Err(Rule::Prefix)),
    ("push of 16 bits", b"\x66\x50", Err(Rule::Opcode)),
    ("pop of 16 bits", b"\x66\x58", Err(Rule::Opcode)),
    ("push (%rsp) of 16 bits", b"\x66\xff\x34\x24", Err(Rule::Prefix)),
    ("push $0 of 16 bits", b"\x66\x68\x00\x00", Err(Rule::Opcode)),
    ("%gs: of a register", b"\x65\x01\xc0", Err(Rule::Prefix)),
    ("addresses of a register", b"\x67\x01\xc0", Err(Rule::Prefix)),
    ("REX of nothing", b"\x40\x01\xc0", Err(Rule::Rex)),
    ("REX.X of no index", b"\x42\x01\xc0", Err(Rule::Rex)),
    ("REX.W of bytes", b"\x48\x00\xc0", Err(Rule::Rex)),
    ("REX.W of push", b"\x48\x50", Err(Rule::Rex)),
    ("REX.R of a digit", b"\x44\xf7\xd8", Err(Rule::Rex)),
    ("nop with REX", b"\x41\x90", Err(Rule::Rex)),
    ("REX before a prefix", b"\x48\x66\x01\xc0", Err(Rule::Opcode)),
    ("REX twice", b"\x48\x48\x01\xc0", Err(Rule::Opcode)),
    ("movsxd of 32 bits", b"\x63\xc0", Err(Rule::Rex)),
    ("movb %sil, %al", b"\x40\x88\xf0", Ok(())),
    ("the longer VEX", b"\xc4\xe1\x78\x28\xc0", Err(Rule::Vex)),
    ("VEX behind 66", b"\x66\xc5\xf8\x28\xc0", Err(Rule::Prefix)),
    ("VEX behind REX", b"\x48\xc5\xf8\x28\xc0", Err(Rule::Prefix)),
    ("VEX behind F3", b"\xf3\xc5\xf8\x28\xc0", Err(Rule::Prefix)),
    ("vvvv of nothing", b"\xc5\xc8\x28\xc0", Err(Rule::Vex)),
    ("VEX.L of a scalar", b"\xc5\xfc\x2e\xc0", Err(Rule::Vex)),
    ("VEX.X of no index", b"\xc4\xa1\x78\x28\xc0", Err(Rule::Vex)),
    ("vpermps of 128 bits", b"\xc4\xe2\x79\x16\xc0", Err(Rule::Vex)),
    ("VEX map 0", b"\xc4\xe0\x78\x28\xc0", Err(Rule::Opcode)),
    ("VEX map 5", b"\xc4\xe5\x79\x28\xc0", Err(Rule::Opcode)),
    ("a scale of no index", b"\x65\x67\x8b\x44\x67\x00", Err(Rule::Spelling)),
    ("a scale of no index, with %esp", b"\x65\x67\x8b\x04\x64", Err(Rule::Spelling)),
    (
        "a scale of no index, without a base",
        b"\x65\x67\x8b\x04\x65\x00\x00\x00\x00",
        Err(Rule::Spelling),
    ),
    ("a scale of no index, with %rsp", b"\x8b\x44\x64\x08", Err(Rule::Spelling)),
    ("SIB of no index", b"\x65\x67\x8b\x04\x27", Err(Rule::Spelling)),
    ("another lfence", b"\x0f\xae\xe9", Err(Rule::Spelling)),
    ("nop (%rdi)", b"\x0f\x1f\x07", Err(Rule::Nop)),
    ("nop 1(%rax)", b"\x0f\x1f\x40\x01", Err(Rule::Nop)),
    ("rdsspd", b"\xf3\x0f\x1e\xc8", Err(Rule::Nop)),
    ("nop of 9 bytes", b"\x66\x0f\x1f\x84\x00\x00\x00\x00\x00", Ok(())),
    ("nop of 10 bytes", b"\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00", Err(Rule::Opcode)),
    ("nop (%rcx)", b"\x0f\x1f\x81\x00\x00\x00\x00", Err(Rule::Nop)),
    ("another nop", b"\x0f\x19\x00", Err(Rule::Opcode)),
];

/// The stack pointer.
const STACK: &[Case] = &[
    ("pushq %rax; popq %r12", b"\x50\x41\x5c", Ok(())),
    ("pushq $5", b"\x6a\x05", Ok(())),
    ("pushq %rsp", b"\x54", Ok(())),
    ("movq %rsp, %rax", b"\x48\x89\xe0", Ok(())),
    ("cmpq %rsp, %rax", b"\x48\x39\xe0", Ok(())),
    ("addq %rsp, %rax", b"\x48\x01\xe0", Ok(())),
    ("subq $0x18, %rsp; movq %rax, 8(%rsp)", b"\x48\x83\xec\x18\x48\x89\x44\x24\x08", Ok(())),
    (
        "subq $0xffff, %rsp; leaq 1(%rax), %rbx; pushq %rax",
        b"\x48\x81\xec\xff\xff\x00\x00\x48\x8d\x58\x01\x50",
        Ok(()),
    ),
    ("addq $0x18, %rsp; popq %rax", b"\x48\x83\xc4\x18\x58", Ok(())),
    (
        "leaq -0x400(%rsp), %rsp; testq %rax, (%rsp)",
        b"\x48\x8d\xa4\x24\x00\xfc\xff\xff\x48\x85\x04\x24",
        Ok(()),
    ),
    ("andq $-64, %rsp; movaps %xmm0, (%rsp)", b"\x48\x83\xe4\xc0\x0f\x29\x04\x24", Ok(())),
    (
        "andq $-4096, %rsp; movaps %xmm0, (%rsp)",
        b"\x48\x81\xe4\x00\xf0\xff\xff\x0f\x29\x04\x24",
        Ok(()),
    ),
    ("subq $8, %rsp; call .+5", b"\x48\x83\xec\x08\xe8\x00\x00\x00\x00", Ok(())),
    (
        "subq $8, %rsp; movl %ebp, %esp; addq %gs:0x3f000, %rsp",
        b"\x48\x83\xec\x08\x89\xec\x65\x48\x03\x24\x25\x00\xf0\x03\x00",
        Ok(()),
    ),
    (
        "subq $0x18, %rsp; subq $0x18, %rsp; pushq %rax",
        b"\x48\x83\xec\x18\x48\x83\xec\x18\x50",
        Err(Rule::StackStep),
    ),
    (
        "subq $0x18, %rsp; orl $0, (%rsp); subq $8, %rsp; pushq %rax",
        b"\x48\x83\xec\x18\x83\x0c\x24\x00\x48\x83\xec\x08\x50",
        Ok(()),
    ),
    (
        "subq $0x18, %rsp; movl %gs:(%edi), %eax; subq $8, %rsp; pushq %rax",
        b"\x48\x83\xec\x18\x65\x67\x8b\x07\x48\x83\xec\x08\x50",
        Err(Rule::StackStep),
    ),
    (
        "subq $0x18, %rsp; movl %gs:4(%esp), %eax; subq $8, %rsp; pushq %rax",
        b"\x48\x83\xec\x18\x65\x67\x8b\x44\x24\x04\x48\x83\xec\x08\x50",
        Err(Rule::StackStep),
    ),
    (
        "subq $0x18, %rsp; shlb $0, (%rsp); subq $8, %rsp; pushq %rax",
        b"\x48\x83\xec\x18\xc0\x24\x24\x00\x48\x83\xec\x08\x50",
        Err(Rule::StackStep),
    ),
    (
        "subq $0x18, %rsp; shlb %cl, (%rsp); subq $8, %rsp; pushq %rax",
        b"\x48\x83\xec\x18\xd2\x24\x24\x48\x83\xec\x08\x50",
        Err(Rule::StackStep),
    ),
    (
        "subq $0x18, %rsp; shrdl $0, %eax, (%rsp); subq $8, %rsp; pushq %rax",
        b"\x48\x83\xec\x18\x0f\xac\x04\x24\x00\x48\x83\xec\x08\x50",
        Err(Rule::StackStep),
    ),
    (
        "subq $0x18, %rsp; vpmaskmovd (%rsp), %xmm0, %xmm1; subq $8, %rsp; pushq %rax",
        b"\x48\x83\xec\x18\xc4\xe2\x79\x8c\x0c\x24\x48\x83\xec\x08\x50",
        Err(Rule::StackStep),
    ),
    (
        "subq $0x18, %rsp; vpmaskmovd %xmm0, %xmm1, (%rsp); subq $8, %rsp; pushq %rax",
        b"\x48\x83\xec\x18\xc4\xe2\x71\x8e\x04\x24\x48\x83\xec\x08\x50",
        Err(Rule::StackStep),
    ),
    (
        "subq $0x18, %rsp; vmaskmovpd %xmm0, %xmm1, (%rsp); subq $8, %rsp; pushq %rax",
        b"\x48\x83\xec\x18\xc4\xe2\x71\x2f\x04\x24\x48\x83\xec\x08\x50",
        Err(Rule::StackStep),
    ),
    (
        "subq $0x18, %rsp; leaq (%rsp), %rax; subq $8, %rsp; pushq %rax",
        b"\x48\x83\xec\x18\x48\x8d\x04\x24\x48\x83\xec\x08\x50",
        Err(Rule::StackStep),
    ),
    ("subq $0x18, %rsp; jmp .", b"\x48\x83\xec\x18\xeb\xfe", Err(Rule::StackStep)),
    ("subq $0x18, %rsp; je .; pushq %rax", b"\x48\x83\xec\x18\x74\xfe\x50", Err(Rule::StackStep)),
    ("subq $0x18, %rsp; hlt", b"\x48\x83\xec\x18\xf4", Err(Rule::StackStep)),
    ("subq $0x18, %rsp; ud2", b"\x48\x83\xec\x18\x0f\x0b", Err(Rule::StackStep)),
    (
        "subq $0x18, %rsp; andl $-32, %r11d; addq %gs:0x3f000, %r11; jmp *%r11",
        b"\x48\x83\xec\x18\x41\x83\xe3\xe0\x65\x4c\x03\x1c\x25\x00\xf0\x03\x00\x41\xff\xe3",
        Err(Rule::StackStep),
    ),
    (
        "subq $0x18, %rsp; leaq 8(%rsp), %rax; subq $8, %rsp; pushq %rax",
        b"\x48\x83\xec\x18\x48\x8d\x44\x24\x08\x48\x83\xec\x08\x50",
        Err(Rule::StackStep),
    ),
    (
        "subq $0x18, %rsp; prefetcht0 (%rsp); subq $8, %rsp; pushq %rax",
        b"\x48\x83\xec\x18\x0f\x18\x0c\x24\x48\x83\xec\x08\x50",
        Err(Rule::StackStep),
    ),
    (
        "subq $0x18, %rsp; prefetchw (%rsp); subq $8, %rsp; pushq %rax",
        b"\x48\x83\xec\x18\x0f\x0d\x0c\x24\x48\x83\xec\x08\x50",
        Err(Rule::StackStep),
    ),
    (
        "subq $0x18, %rsp; shll $0, (%rsp); subq $8, %rsp; pushq %rax",
        b"\x48\x83\xec\x18\xc1\x24\x24\x00\x48\x83\xec\x08\x50",
        Err(Rule::StackStep),
    ),
    (
        "subq $0x18, %rsp; shll %cl, (%rsp); subq $8, %rsp; pushq %rax",
        b"\x48\x83\xec\x18\xd3\x24\x24\x48\x83\xec\x08\x50",
        Err(Rule::StackStep),
    ),
    (
        "subq $0x18, %rsp; vmaskmovps (%rsp), %xmm0, %xmm1; subq $8, %rsp; pushq %rax",
        b"\x48\x83\xec\x18\xc4\xe2\x79\x2c\x0c\x24\x48\x83\xec\x08\x50",
        Err(Rule::StackStep),
    ),
    (
        "subq $0x18, %rsp; shldl %cl, %eax, (%rsp); subq $8, %rsp; pushq %rax",
        b"\x48\x83\xec\x18\x0f\xa5\x04\x24\x48\x83\xec\x08\x50",
        Err(Rule::StackStep),
    ),
    (
        "subq $0x18, %rsp; movl %gs:(%esp), %eax; subq $8, %rsp; pushq %rax",
        b"\x48\x83\xec\x18\x65\x67\x8b\x04\x24\x48\x83\xec\x08\x50",
        Err(Rule::StackStep),
    ),
    (
        "subq $0x18, %rsp; movl %gs:0x12345, %eax; subq $8, %rsp; pushq %rax",
        b"\x48\x83\xec\x18\x65\x8b\x04\x25\x45\x23\x01\x00\x48\x83\xec\x08\x50",
        Err(Rule::StackStep),
    ),
    (
        "subq $0x18, %rsp; nopl (%rax); subq $8, %rsp; pushq %rax",
        b"\x48\x83\xec\x18\x0f\x1f\x00\x48\x83\xec\x08\x50",
        Err(Rule::StackStep),
    ),
    (
        "subq $8, %rsp; movl %edi, %edi; addq %gs:0x3f000, %rdi; rep stosb; subq $8, %rsp; pushq %rax",
        b"\x48\x83\xec\x08\x89\xff\x65\x48\x03\x3c\x25\x00\xf0\x03\x00\xf3\xaa\x48\x83\xec\x08\x50",
        Err(Rule::StackStep),
    ),
    ("subq $0x10000, %rsp", b"\x48\x81\xec\x00\x00\x01\x00", Err(Rule::StackWrite)),
    ("addq $-0x10000, %rsp", b"\x48\x81\xc4\x00\x00\xff\xff", Err(Rule::StackWrite)),
    ("leaq 0x10000(%rsp), %rsp", b"\x48\x8d\xa4\x24\x00\x00\x01\x00", Err(Rule::StackWrite)),
    ("andq $-0x1001, %rsp", b"\x48\x81\xe4\xff\xef\xff\xff", Err(Rule::StackWrite)),
    ("andq $0x7f, %rsp", b"\x48\x83\xe4\x7f", Err(Rule::StackWrite)),
    ("leaq 8(%rax), %rsp", b"\x48\x8d\x60\x08", Err(Rule::StackWrite)),
    ("leaq 8(%rsp,%rax), %rsp", b"\x48\x8d\x64\x04\x08", Err(Rule::StackWrite)),
    ("movq %rax, %rsp", b"\x48\x89\xc4", Err(Rule::StackWrite)),
    ("movq %rbp, %rsp", b"\x48\x89\xec", Err(Rule::StackWrite)),
    ("popq %rsp", b"\x5c", Err(Rule::StackWrite)),
    ("xchgq %rax, %rsp", b"\x48\x94", Err(Rule::StackWrite)),
    ("xchgq %rsp, %rax", b"\x48\x94", Err(Rule::StackWrite)),
    ("xchgq %rax, %rsp, short", b"\x48\x94", Err(Rule::StackWrite)),
    ("cmoveq %rax, %rsp", b"\x48\x0f\x44\xe0", Err(Rule::StackWrite)),
    ("addq %rax, %rsp", b"\x48\x01\xc4", Err(Rule::StackWrite)),
    ("movw %ax, %sp", b"\x66\x89\xc4", Err(Rule::StackWrite)),
    ("movb %al, %spl", b"\x40\x88\xc4", Err(Rule::StackWrite)),
    ("incq %rsp", b"\x48\xff\xc4", Err(Rule::StackWrite)),
    ("movq $5, %rsp", b"\x48\xc7\xc4\x05\x00\x00\x00", Err(Rule::StackWrite)),
    ("movl $5, %esp", b"\xbc\x05\x00\x00\x00", Err(Rule::StackWrite)),
    ("movabsq $5, %rsp", b"\x48\xbc\x05\x00\x00\x00\x00\x00\x00\x00", Err(Rule::StackWrite)),
    ("bswapq %rsp", b"\x48\x0f\xcc", Err(Rule::StackWrite)),
    ("imulq $3, %rax, %rsp", b"\x48\x6b\xe0\x03", Err(Rule::StackWrite)),
    ("movzbl %al, %esp", b"\x0f\xb6\xe0", Err(Rule::StackWrite)),
    ("movsxd %eax, %rsp", b"\x48\x63\xe0", Err(Rule::StackWrite)),
    ("mulx %rax, %rsp, %rbx", b"\xc4\xe2\xdb\xf6\xd8", Err(Rule::StackWrite)),
    ("mulx %rax, %rbx, %rsp", b"\xc4\xe2\xe3\xf6\xe0", Err(Rule::StackWrite)),
    ("andn %rax, %rbx, %rsp", b"\xc4\xe2\xe0\xf2\xe0", Err(Rule::StackWrite)),
    ("blsr %rax, %rsp", b"\xc4\xe2\xd8\xf3\xc8", Err(Rule::StackWrite)),
    ("rorx $1, %rax, %rsp", b"\xc4\xe3\xfb\xf0\xe0\x01", Err(Rule::StackWrite)),
    ("xaddq %rsp, %rax", b"\x48\x0f\xc1\xe0", Err(Rule::StackWrite)),
    ("xaddl %esp, %gs:(%edi)", b"\x65\x67\x0f\xc1\x27", Err(Rule::StackWrite)),
    ("xchgl %esp, %gs:(%edi)", b"\x65\x67\x87\x27", Err(Rule::StackWrite)),
    ("cmpxchgq %rax, %rsp", b"\x48\x0f\xb1\xc4", Err(Rule::StackWrite)),
    ("movq %xmm0, %rsp", b"\x66\x48\x0f\x7e\xc4", Err(Rule::StackWrite)),
    ("movd %xmm0, %esp", b"\x66\x0f\x7e\xc4", Err(Rule::StackWrite)),
    ("cvttsd2si %xmm0, %rsp", b"\xf2\x48\x0f\x2c\xe0", Err(Rule::StackWrite)),
    ("pextrq $0, %xmm0, %rsp", b"\x66\x48\x0f\x3a\x16\xc4\x00", Err(Rule::StackWrite)),
    ("pmovmskb %xmm0, %esp", b"\x66\x0f\xd7\xe0", Err(Rule::StackWrite)),
    ("popcntq %rax, %rsp", b"\xf3\x48\x0f\xb8\xe0", Err(Rule::StackWrite)),
    ("setz %spl", b"\x40\x0f\x94\xc4", Err(Rule::StackWrite)),
    ("shlq %rsp", b"\x48\xd1\xe4", Err(Rule::StackWrite)),
    ("btsq $3, %rsp", b"\x48\x0f\xba\xec\x03", Err(Rule::StackWrite)),
    ("shldq $3, %rax, %rsp", b"\x48\x0f\xa4\xc4\x03", Err(Rule::StackWrite)),
    (
        "bsfl %eax, %esp; addq %gs:0x3f000, %rsp",
        b"\x0f\xbc\xe0\x65\x48\x03\x24\x25\x00\xf0\x03\x00",
        Err(Rule::StackWrite),
    ),
    (
        "cmovel %eax, %esp; addq %gs:0x3f000, %rsp",
        b"\x0f\x44\xe0\x65\x48\x03\x24\x25\x00\xf0\x03\x00",
        Err(Rule::StackWrite),
    ),
    ("crc32q %rax, %rsp", b"\xf2\x48\x0f\x38\xf1\xe0", Err(Rule::StackWrite)),
    ("movbeq %gs:(%edi), %rsp", b"\x65\x67\x48\x0f\x38\xf0\x27", Err(Rule::StackWrite)),
    ("adcxq %rax, %rsp", b"\x66\x48\x0f\x38\xf6\xe0", Err(Rule::StackWrite)),
    ("movmskps %xmm0, %esp", b"\x0f\x50\xe0", Err(Rule::StackWrite)),
    ("notq %rsp", b"\x48\xf7\xd4", Err(Rule::StackWrite)),
    (
        "decl %esp; addq %gs:0x3f000, %rsp",
        b"\xff\xcc\x65\x48\x03\x24\x25\x00\xf0\x03\x00",
        Err(Rule::StackWrite),
    ),
    ("xorl %esp, %esp", b"\x31\xe4", Err(Rule::StackWrite)),
    ("sarx %rax, %rbx, %rsp", b"\xc4\xe2\xfa\xf7\xe3", Err(Rule::StackWrite)),
    ("vpextrw $0, %xmm0, %esp", b"\xc5\xf9\xc5\xe0\x00", Err(Rule::StackWrite)),
    ("vmovd %xmm0, %esp", b"\xc5\xf9\x7e\xc4", Err(Rule::StackWrite)),
    ("vmovmskpd %ymm0, %esp", b"\xc5\xfd\x50\xe0", Err(Rule::StackWrite)),
    ("movb $5, %ah", b"\xb4\x05", Ok(())),
    (
        "movl %ebp, %esp; addq %gs:0x3f000, %rsp",
        b"\x89\xec\x65\x48\x03\x24\x25\x00\xf0\x03\x00",
        Ok(()),
    ),
    (
        "movl %gs:8(%edi), %esp; addq %gs:0x3f000, %rsp",
        b"\x65\x67\x8b\x67\x08\x65\x48\x03\x24\x25\x00\xf0\x03\x00",
        Ok(()),
    ),
    (
        "leal -64(%rbp,%rax), %esp; addq %gs:0x3f000, %rsp",
        b"\x8d\x64\x05\xc0\x65\x48\x03\x24\x25\x00\xf0\x03\x00",
        Ok(()),
    ),
    (
        "subl %eax, %esp; addq %gs:0x3f000, %rsp",
        b"\x29\xc4\x65\x48\x03\x24\x25\x00\xf0\x03\x00",
        Ok(()),
    ),
    (
        "subl $0x20000, %esp; addq %gs:0x3f000, %rsp",
        b"\x81\xec\x00\x00\x02\x00\x65\x48\x03\x24\x25\x00\xf0\x03\x00",
        Ok(()),
    ),
    (
        "andl $-65536, %esp; addq %gs:0x3f000, %rsp",
        b"\x81\xe4\x00\x00\xff\xff\x65\x48\x03\x24\x25\x00\xf0\x03\x00",
        Ok(()),
    ),
    ("movl %ebp, %esp", b"\x89\xec", Err(Rule::StackWrite)),
    (
        "movl %ebp, %esp; nop; addq %gs:0x3f000, %rsp",
        b"\x89\xec\x90\x65\x48\x03\x24\x25\x00\xf0\x03\x00",
        Err(Rule::StackWrite),
    ),
    (
        "movl %ebp, %esp; addq %gs:0x3f008, %rsp",
        b"\x89\xec\x65\x48\x03\x24\x25\x08\xf0\x03\x00",
        Err(Rule::StackWrite),
    ),
    (
        "movl %ebp, %esp; addq %gs:0x3f000, %rax",
        b"\x89\xec\x65\x48\x03\x04\x25\x00\xf0\x03\x00",
        Err(Rule::StackWrite),
    ),
    (
        "movl %ebp, %esp; addl %gs:0x3f000, %esp",
        b"\x89\xec\x65\x03\x24\x25\x00\xf0\x03\x00",
        Err(Rule::StackWrite),
    ),
    ("movl %ebp, %esp; addq %rax, %rsp", b"\x89\xec\x48\x01\xc4", Err(Rule::StackWrite)),
    (
        "movq %rbp, %rsp; addq %gs:0x3f000, %rsp",
        b"\x48\x89\xec\x65\x48\x03\x24\x25\x00\xf0\x03\x00",
        Err(Rule::StackWrite),
    ),
    (
        "movw %bp, %sp; addq %gs:0x3f000, %rsp",
        b"\x66\x89\xec\x65\x48\x03\x24\x25\x00\xf0\x03\x00",
        Err(Rule::StackWrite),
    ),
    ("addq %gs:0x3f000, %rsp", b"\x65\x48\x03\x24\x25\x00\xf0\x03\x00", Err(Rule::StackWrite)),
    (
        "orl %eax, %esp; addq %gs:0x3f000, %rsp",
        b"\x09\xc4\x65\x48\x03\x24\x25\x00\xf0\x03\x00",
        Err(Rule::StackWrite),
    ),
];

/// Strings, indirect branches, returns.
const GROUPS: &[Case] = &[
    ("andl $-32, %eax; addq %gs:0x3f000, %rax; jmp *%rax", b"\x83\xe0\xe0\x65\x48\x03\x04\x25\x00\xf0\x03\x00\xff\xe0", Ok(())),
    ("andl $-32, %r11d; addq %gs:0x3f000, %r11; jmp *%r11", b"\x41\x83\xe3\xe0\x65\x4c\x03\x1c\x25\x00\xf0\x03\x00\x41\xff\xe3", Ok(())),
    ("andl $-32, %ebp; addq %gs:0x3f000, %rbp; call *%rbp", b"\x83\xe5\xe0\x65\x48\x03\x2c\x25\x00\xf0\x03\x00\xff\xd5", Ok(())),
    ("andl $-32, %r12d; addq %gs:0x3f000, %r12; call *%r12", b"\x41\x83\xe4\xe0\x65\x4c\x03\x24\x25\x00\xf0\x03\x00\x41\xff\xd4", Ok(())),
    ("popq %r11; andl $-32, %r11d; addq %gs:0x3f000, %r11; pushq %r11; ret", b"\x41\x5b\x41\x83\xe3\xe0\x65\x4c\x03\x1c\x25\x00\xf0\x03\x00\x41\x53\xc3", Ok(())),
    ("andl $-32, %eax; addq %gs:0x3f000, %rax; nop", b"\x83\xe0\xe0\x65\x48\x03\x04\x25\x00\xf0\x03\x00\x90", Ok(())),
    ("jmp *%rax", b"\xff\xe0", Err(Rule::Indirect)),
    ("call *%rax", b"\xff\xd0", Err(Rule::Indirect)),
    ("jmp *%gs:(%edi)", b"\x65\x67\xff\x27", Err(Rule::Indirect)),
    ("call *%gs:(%edi)", b"\x65\x67\xff\x17", Err(Rule::Indirect)),
    ("jmp *8(%rsp)", b"\xff\x64\x24\x08", Err(Rule::Indirect)),
    ("ret", b"\xc3", Err(Rule::Return)),
    ("ret $8", b"\xc2\x08\x00", Err(Rule::Return)),
    ("rep ret", b"\xf3\xc3", Err(Rule::Opcode)),
    ("andl $-32, %eax; addq %gs:0x3f000, %rax; jmp *%rbx", b"\x83\xe0\xe0\x65\x48\x03\x04\x25\x00\xf0\x03\x00\xff\xe3", Err(Rule::Indirect)),
    ("andl $-32, %eax; addq %gs:0x3f000, %rax; call *%rbx", b"\x83\xe0\xe0\x65\x48\x03\x04\x25\x00\xf0\x03\x00\xff\xd3", Err(Rule::Indirect)),
    ("andl $-32, %r9d; addq %gs:0x3f000, %r9; call *%r10", b"\x41\x83\xe1\xe0\x65\x4c\x03\x0c\x25\x00\xf0\x03\x00\x41\xff\xd2", Err(Rule::Indirect)),
    ("andl $-32, %r9d; addq %gs:0x3f000, %r9; call *%rcx", b"\x41\x83\xe1\xe0\x65\x4c\x03\x0c\x25\x00\xf0\x03\x00\xff\xd1", Err(Rule::Indirect)),
    ("andl $-32, %ecx; addq %gs:0x3f000, %rcx; pushq %r9; ret", b"\x83\xe1\xe0\x65\x48\x03\x0c\x25\x00\xf0\x03\x00\x41\x51\xc3", Err(Rule::Return)),
    ("andl $-32, %eax; addq %gs:0x3f000, %rbx; jmp *%rbx", b"\x83\xe0\xe0\x65\x48\x03\x1c\x25\x00\xf0\x03\x00\xff\xe3", Err(Rule::Indirect)),
    ("andl $-32, %eax; addq %gs:0x3f000, %rax; nop; jmp *%rax", b"\x83\xe0\xe0\x65\x48\x03\x04\x25\x00\xf0\x03\x00\x90\xff\xe0", Err(Rule::Indirect)),
    ("andl $-16, %eax; addq %gs:0x3f000, %rax; jmp *%rax", b"\x83\xe0\xf0\x65\x48\x03\x04\x25\x00\xf0\x03\x00\xff\xe0", Err(Rule::Indirect)),
    ("andq $-32, %rax; addq %gs:0x3f000, %rax; jmp *%rax", b"\x48\x83\xe0\xe0\x65\x48\x03\x04\x25\x00\xf0\x03\x00\xff\xe0", Err(Rule::Indirect)),
    ("addq %gs:0x3f000, %rax; jmp *%rax", b"\x65\x48\x03\x04\x25\x00\xf0\x03\x00\xff\xe0", Err(Rule::Indirect)),
    ("andl $-32, %eax; jmp *%rax", b"\x83\xe0\xe0\xff\xe0", Err(Rule::Indirect)),
    ("andl $-32, %eax; addq %gs:0x3f008, %rax; jmp *%rax", b"\x83\xe0\xe0\x65\x48\x03\x04\x25\x08\xf0\x03\x00\xff\xe0", Err(Rule::Indirect)),
    ("andl $-32, %eax; addl %gs:0x3f000, %eax; jmp *%rax", b"\x83\xe0\xe0\x65\x03\x04\x25\x00\xf0\x03\x00\xff\xe0", Err(Rule::Indirect)),
    ("andl $-32, %r8d; addq %gs:0x3f000, %r8; jmp *%rax", b"\x41\x83\xe0\xe0\x65\x4c\x03\x04\x25\x00\xf0\x03\x00\xff\xe0", Err(Rule::Indirect)),
    ("andl $-32, %eax; addq %gs:0x3f000, %rax; jmp *%r8", b"\x83\xe0\xe0\x65\x48\x03\x04\x25\x00\xf0\x03\x00\x41\xff\xe0", Err(Rule::Indirect)),
    ("andl $-32, %eax; addq %gs:0x3f000, %rax; jmp *(%rax)", b"\x83\xe0\xe0\x65\x48\x03\x04\x25\x00\xf0\x03\x00\xff\x20", Err(Rule::Indirect)),
    ("jmp of 16 bits", b"\x83\xe0\xe0\x65\x48\x03\x04\x25\x00\xf0\x03\x00\x66\xff\xe0", Err(Rule::Indirect)),
    ("andb $-32, %al; addq %gs:0x3f000, %rax; jmp *%rax", b"\x24\xe0\x65\x48\x03\x04\x25\x00\xf0\x03\x00\xff\xe0", Err(Rule::Indirect)),
    ("andw $-32, %ax; addq %gs:0x3f000, %rax; jmp *%rax", b"\x66\x83\xe0\xe0\x65\x48\x03\x04\x25\x00\xf0\x03\x00\xff\xe0", Err(Rule::Indirect)),
    ("andl $-32, %esp; addq %gs:0x3f000, %rsp; jmp *%rsp", b"\x83\xe4\xe0\x65\x48\x03\x24\x25\x00\xf0\x03\x00\xff\xe4", Err(Rule::Indirect)),
    ("pushq %r11; ret", b"\x41\x53\xc3", Err(Rule::Return)),
    ("andl $-32, %r11d; addq %gs:0x3f000, %r11; pushq %r10; ret", b"\x41\x83\xe3\xe0\x65\x4c\x03\x1c\x25\x00\xf0\x03\x00\x41\x52\xc3", Err(Rule::Return)),
    ("andl $-32, %r11d; addq %gs:0x3f000, %r11; pushq %r11; nop; ret", b"\x41\x83\xe3\xe0\x65\x4c\x03\x1c\x25\x00\xf0\x03\x00\x41\x53\x90\xc3", Err(Rule::Return)),
    ("andl $-32, %r11d; addq %gs:0x3f000, %r11; pushq %r11; ret $8", b"\x41\x83\xe3\xe0\x65\x4c\x03\x1c\x25\x00\xf0\x03\x00\x41\x53\xc2\x08\x00", Err(Rule::Return)),
    ("movl %edi, %edi; addq %gs:0x3f000, %rdi; rep stosb", b"\x89\xff\x65\x48\x03\x3c\x25\x00\xf0\x03\x00\xf3\xaa", Ok(())),
    ("movl %edi, %edi; addq %gs:0x3f000, %rdi; stosw", b"\x89\xff\x65\x48\x03\x3c\x25\x00\xf0\x03\x00\x66\xab", Ok(())),
    ("movl %edi, %edi; addq %gs:0x3f000, %rdi; movl %esi, %esi; addq %gs:0x3f000, %rsi; rep movsq", b"\x89\xff\x65\x48\x03\x3c\x25\x00\xf0\x03\x00\x89\xf6\x65\x48\x03\x34\x25\x00\xf0\x03\x00\xf3\x48\xa5", Ok(())),
    ("movl %edi, %edi; addq %gs:0x3f000, %rdi; movl %esi, %esi; addq %gs:0x3f000, %rsi; repne cmpsb", b"\x89\xff\x65\x48\x03\x3c\x25\x00\xf0\x03\x00\x89\xf6\x65\x48\x03\x34\x25\x00\xf0\x03\x00\xf2\xa6", Ok(())),
    ("movl %esi, %esi; addq %gs:0x3f000, %rsi; lodsl", b"\x89\xf6\x65\x48\x03\x34\x25\x00\xf0\x03\x00\xad", Ok(())),
    ("movl %edi, %edi; addq %gs:0x3f000, %rdi; repne scasb", b"\x89\xff\x65\x48\x03\x3c\x25\x00\xf0\x03\x00\xf2\xae", Ok(())),
    ("movl %edi, %edi; addq %gs:0x3f000, %rdi; nop", b"\x89\xff\x65\x48\x03\x3c\x25\x00\xf0\x03\x00\x90", Ok(())),
    ("movsb", b"\xa4", Err(Rule::String)),
    ("stosq", b"\x48\xab", Err(Rule::String)),
    ("rep stosb", b"\xf3\xaa", Err(Rule::String)),
    ("lodsb", b"\xac", Err(Rule::String)),
    ("scasb", b"\xae", Err(Rule::String)),
    ("cmpsl", b"\xa7", Err(Rule::String)),
    ("movl %edi, %edi; addq %gs:0x3f000, %rdi; rep movsb", b"\x89\xff\x65\x48\x03\x3c\x25\x00\xf0\x03\x00\xf3\xa4", Err(Rule::String)),
    ("movl %esi, %esi; addq %gs:0x3f000, %rsi; rep movsb", b"\x89\xf6\x65\x48\x03\x34\x25\x00\xf0\x03\x00\xf3\xa4", Err(Rule::String)),
    ("movl %esi, %esi; addq %gs:0x3f000, %rsi; stosb", b"\x89\xf6\x65\x48\x03\x34\x25\x00\xf0\x03\x00\xaa", Err(Rule::String)),
    ("movl %edi, %edi; addq %gs:0x3f000, %rdi; lodsb", b"\x89\xff\x65\x48\x03\x3c\x25\x00\xf0\x03\x00\xac", Err(Rule::String)),
    ("movl %edi, %edi; addq %gs:0x3f000, %rsi; stosb", b"\x89\xff\x65\x48\x03\x34\x25\x00\xf0\x03\x00\xaa", Err(Rule::String)),
    ("movl %edi, %edi; addq %gs:0x3f000, %rdi; nop; stosb", b"\x89\xff\x65\x48\x03\x3c\x25\x00\xf0\x03\x00\x90\xaa", Err(Rule::String)),
    ("movq %rdi, %rdi; addq %gs:0x3f000, %rdi; stosb", b"\x48\x89\xff\x65\x48\x03\x3c\x25\x00\xf0\x03\x00\xaa", Err(Rule::String)),
    ("movl %edi, %edi; stosb", b"\x89\xff\xaa", Err(Rule::String)),
    ("stosb of 32 bits", b"\x89\xff\x65\x48\x03\x3c\x25\x00\xf0\x03\x00\x67\xaa", Err(Rule::Prefix)),
    ("lodsb %gs:", b"\x89\xf6\x65\x48\x03\x34\x25\x00\xf0\x03\x00\x65\xac", Err(Rule::Prefix)),
    ("lodsb %fs:", b"\x89\xf6\x65\x48\x03\x34\x25\x00\xf0\x03\x00\x64\xac", Err(Rule::Opcode)),
    ("insb", b"\x89\xff\x65\x48\x03\x3c\x25\x00\xf0\x03\x00\x6c", Err(Rule::Opcode)),
];
