//! Functions whose bytes read as `WRPKRU` by accident, as the distances and constants in a
//! large program do now and then: one of each kind that can be replaced.
#![allow(unsafe_code, dead_code, unreachable_pub)]

use std::arch::global_asm;

// What they call and look at lies 1.1 MiB before them, so that the distance is 0xffef010f, or
// `0f 01 ef ff` in memory. Each target is at a multiple of 64 bytes from the start, and what it
// is counted from, the end of the instruction, as far from the first one of these.
global_asm!(
    r#"
    .section .text.omniglot_planted, "ax", @progbits
    .balign 64
planted_start:
    lea eax, [rdi + 1]                  # 0: the target of a call
    ret
    .org planted_start + 64, 0xcc
    lea eax, [rdi + 2]                  # 1: of a jump
    ret
    .org planted_start + 128, 0xcc
    mov eax, 7                          # 2: of a conditional jump
    ret
    .org planted_start + 192, 0xcc
    .long 1234                          # 3 to 5: data
    .org planted_start + 256, 0xcc
    .long 2345
    .org planted_start + 320, 0xcc
    .long 3456
    .org planted_start + 0x10fe00, 0xcc

    .set planted_end, planted_start + 0x10fef1
    .type planted_call, @function
    .org planted_end - 9, 0xcc
planted_call:
    .cfi_startproc
    sub rsp, 8
    .byte 0xe8, 0x0f, 0x01, 0xef, 0xff
    add rsp, 8
    ret
    .cfi_endproc
    .size planted_call, . - planted_call

    .type planted_jump, @function
    .org planted_end + 64 - 5, 0xcc
planted_jump:
    .cfi_startproc
    .byte 0xe9, 0x0f, 0x01, 0xef, 0xff
    .cfi_endproc
    .size planted_jump, . - planted_jump

    .type planted_branch, @function
    .org planted_end + 128 - 8, 0xcc
planted_branch:
    .cfi_startproc
    test edi, edi
    .byte 0x0f, 0x84, 0x0f, 0x01, 0xef, 0xff
    mov eax, 5
    ret
    .cfi_endproc
    .size planted_branch, . - planted_branch

    .type planted_address, @function
    .org planted_end + 192 - 7, 0xcc
planted_address:
    .cfi_startproc
    .byte 0x48, 0x8d, 0x05, 0x0f, 0x01, 0xef, 0xff
    mov eax, [rax]
    ret
    .cfi_endproc
    .size planted_address, . - planted_address

    .type planted_load, @function
    .org planted_end + 256 - 6, 0xcc
planted_load:
    .cfi_startproc
    .byte 0x8b, 0x05, 0x0f, 0x01, 0xef, 0xff
    ret
    .cfi_endproc
    .size planted_load, . - planted_load

    .type planted_compare, @function
    .org planted_end + 320 - 6, 0xcc
planted_compare:
    .cfi_startproc
    .byte 0x3b, 0x3d, 0x0f, 0x01, 0xef, 0xff
    sete al
    movzx eax, al
    ret
    .cfi_endproc
    .size planted_compare, . - planted_compare

    .type planted_constant, @function
    .balign 64, 0xcc
planted_constant:
    .cfi_startproc
    mov eax, 0xef010f
    ret
    .cfi_endproc
    .size planted_constant, . - planted_constant

    .type planted_wide_constant, @function
    .balign 64, 0xcc
planted_wide_constant:
    .cfi_startproc
    movabs rax, 0x12ef010f00345678
    shr rax, 32
    ret
    .cfi_endproc
    .size planted_wide_constant, . - planted_wide_constant

    .type planted_mask, @function
    .balign 64, 0xcc
planted_mask:
    .cfi_startproc
    mov eax, edi
    and eax, 0x0fef010f
    setz dl
    movzx edx, dl
    add eax, edx
    ret
    .cfi_endproc
    .size planted_mask, . - planted_mask

    .type planted_pair, @function
    .balign 64, 0xcc
planted_pair:
    .cfi_startproc
    mov r8, rbp
    mov ebp, 100
    mov eax, edi
    and eax, 0xf
    .byte 0x01, 0xef                    # add edi, ebp
    add eax, edi
    mov rbp, r8
    ret
    .cfi_endproc
    .size planted_pair, . - planted_pair
    .balign 64, 0xcc
planted_last:
    .text
    "#
);

unsafe extern "C" {
    static planted_start: u8;
    static planted_last: u8;
    fn planted_call(number: u32) -> u32;
    fn planted_jump(number: u32) -> u32;
    fn planted_branch(number: u32) -> u32;
    fn planted_address(number: u32) -> u32;
    fn planted_load(number: u32) -> u32;
    fn planted_compare(number: u32) -> u32;
    fn planted_constant(number: u32) -> u32;
    fn planted_wide_constant(number: u32) -> u32;
    fn planted_mask(number: u32) -> u32;
    fn planted_pair(number: u32) -> u32;
}

type Function = unsafe extern "C" fn(u32) -> u32;

/// Each of them, with an argument and the result that is right.
const RIGHT: [(Function, u32, u32); 14] = [
    (planted_call, 1, 2),
    (planted_jump, 1, 3),
    (planted_branch, 0, 7),
    (planted_branch, 1, 5),
    (planted_address, 0, 1234),
    (planted_load, 0, 2345),
    (planted_compare, 3456, 1),
    (planted_compare, 3457, 0),
    (planted_constant, 0, 0xef_010f),
    (planted_wide_constant, 0, 0x12ef_010f),
    (planted_mask, 0xff_ffff, 0xef_010f),
    (planted_mask, 0x10, 1),
    (planted_pair, 0x12, 0x12 + 100 + 2),
    (planted_pair, 0xff, 0xff + 100 + 0xf),
];

/// How many accidental gadgets there are.
pub const COUNT: usize = 10;

/// The first call that gives a wrong result.
pub fn wrong() -> Option<usize> {
    // SAFETY: the functions above, which do nothing but compute.
    RIGHT.iter().position(|(function, number, right)| unsafe { function(*number) } != *right)
}

/// Where they are.
pub fn code() -> std::ops::Range<usize> {
    (&raw const planted_start).addr()..(&raw const planted_last).addr()
}
