//! Assembly for entering and leaving a region.
#![allow(unsafe_code)]

use std::arch::global_asm;

use omniglot_verify::BASE;

global_asm!(
    ".pushsection .text",
    // Enters at RDI with the stack at RSI and the six arguments at RDX. Returns the function's
    // result.
    ".globl omniglot_rewritten_enter",
    ".hidden omniglot_rewritten_enter",
    "omniglot_rewritten_enter:",
    "push rbx",
    "push rbp",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "mov [rip + omniglot_rewritten_stack], rsp",
    "mov r11, rdi",
    "mov rsp, rsi",
    "mov r10, rdx",
    "mov rdi, [r10]",
    "mov rsi, [r10 + 8]",
    "mov rdx, [r10 + 16]",
    "mov rcx, [r10 + 24]",
    "mov r8, [r10 + 32]",
    "mov r9, [r10 + 40]",
    "xor eax, eax",
    "xor ebx, ebx",
    "xor ebp, ebp",
    "xor r10d, r10d",
    "xor r12d, r12d",
    "xor r13d, r13d",
    "xor r14d, r14d",
    "xor r15d, r15d",
    "jmp r11",
    // The gate of the outermost return leads here.
    ".globl omniglot_rewritten_leave",
    ".hidden omniglot_rewritten_leave",
    "omniglot_rewritten_leave:",
    "mov rsp, [rip + omniglot_rewritten_stack]",
    "cld",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbp",
    "pop rbx",
    "ret",
    // The gate for system calls leads here. Like the kernel, it changes only RAX, RCX and R11.
    ".globl omniglot_rewritten_system_call",
    ".hidden omniglot_rewritten_system_call",
    "omniglot_rewritten_system_call:",
    "mov r11, rsp",
    "mov rsp, [rip + omniglot_rewritten_stack]",
    "push r11",
    "push rdi",
    "push rsi",
    "push rdx",
    "push r8",
    "push r9",
    "push r10",
    "sub rsp, 528",
    "fxsave64 [rsp]",
    "mov rcx, rdx",
    "mov rdx, rsi",
    "mov rsi, rdi",
    "mov rdi, rax",
    "call {answer}",
    "fxrstor64 [rsp]",
    "add rsp, 528",
    "pop r10",
    "pop r9",
    "pop r8",
    "pop rdx",
    "pop rsi",
    "pop rdi",
    "pop rsp",
    "pop r11",
    "and r11d, -32",
    "add r11, gs:[{base}]",
    "jmp r11",
    ".popsection",
    ".pushsection .data",
    ".balign 8",
    ".hidden omniglot_rewritten_stack",
    "omniglot_rewritten_stack: .quad 0",
    ".popsection",
    answer = sym crate::region::answer,
    base = const BASE,
);

unsafe extern "C" {
    pub(crate) safe fn omniglot_rewritten_leave();
    pub(crate) safe fn omniglot_rewritten_system_call();
    pub(crate) fn omniglot_rewritten_enter(
        entry: u64,
        stack: u64,
        arguments: *const [u64; 6],
    ) -> u64;
}
