/* x86-64: for the stub, if STUB is defined, or the loader. Calling convention: System V ABI for
 * x86-64, section 3.2. */
#include <asm/unistd.h>

    .text

/* Of both: where a handler of signals returns to. libgcc knows the frame before it by these bytes,
 * if it finds no description for the byte before them. */
    nop
    .globl return_from_handler
    .hidden return_from_handler
    .type return_from_handler, @function
return_from_handler:
    mov $__NR_rt_sigreturn, %rax
    syscall
    ud2
    .size return_from_handler, . - return_from_handler

#ifdef STUB

    .globl _start
_start:
    xor %ebp, %ebp
    mov %rsp, %rdi
    and $-16, %rsp
    call stub
    ud2

/* enter(entry, stack): no function to run at exit, System V ABI, section 3.4.1. */
    .globl enter
enter:
    mov %rsi, %rsp
    xor %edx, %edx
    xor %ebp, %ebp
    jmp *%rdi

/* The compiler may call these for copies of structs, even in a freestanding program. */
    .globl memcpy
memcpy:
    mov %rdi, %rax
    mov %rdx, %rcx
    rep movsb
    ret

    .globl memset
memset:
    mov %rdi, %r8
    mov %esi, %eax
    mov %rdx, %rcx
    rep stosb
    mov %r8, %rax
    ret

/* make_thread(flags, stack): the thread's struct is at the end of its stack. */
    .globl make_thread
make_thread:
    xor %edx, %edx
    xor %r10d, %r10d
    xor %r8d, %r8d
    mov $__NR_clone, %eax
    syscall
    test %rax, %rax
    jnz 1f
    xor %ebp, %ebp
    mov (%rsp), %rdi
    call begin_thread
    ud2
1:  ret

/* From here on a thread has no stack of its own, since what it ran last may be given to others.
 *
 * leave_thread: rbx: the thread; rdi: the word to clear for who waits for its end
 * (set_tid_address(2)), or 0. The thread is free before, since who waited may start the next one. */
    .globl leave_thread
leave_thread:
    xor %esp, %esp
    movl $0, (%rbx)
    test %rdi, %rdi
    jz 1f
    movl $0, (%rdi)
    mov $1, %esi /* FUTEX_WAKE, as the kernel does it */
    mov $1, %edx
    mov $__NR_futex, %eax
    syscall
1:  mov %rbx, %rdi

/* wait_for_work(thread) */
    .globl wait_for_work
wait_for_work:
    mov %rdi, %rbx
2:  xor %esp, %esp
    mov %rbx, %rdi
    xor %esi, %esi /* FUTEX_WAIT while it is free, for as long as it takes */
    xor %edx, %edx
    xor %r10d, %r10d
    mov $__NR_futex, %eax
    syscall
    pause
    cmpl $2, (%rbx) /* THREAD_RUNS */
    jne 2b
    mov 24(%rbx), %rax
    wrfsbase %rax
    ldmxcsr 144(%rbx)
    fldcw 148(%rbx)
    mov 32(%rbx), %rcx /* as the kernel leaves it: where the thread begins */
    mov 40(%rbx), %rsp
    mov 48(%rbx), %rbp
    mov 64(%rbx), %rdi
    mov 72(%rbx), %rsi
    mov 80(%rbx), %rdx
    mov 88(%rbx), %r8
    mov 96(%rbx), %r9
    mov 104(%rbx), %r10
    mov 112(%rbx), %r12
    mov 120(%rbx), %r13
    mov 128(%rbx), %r14
    mov 136(%rbx), %r15
    mov 56(%rbx), %rbx
    xor %eax, %eax
    jmp *%rcx

#else

/* See server/access.c and server/server.h. */
    .globl copy_or_fail
    .hidden copy_or_fail
    .type copy_or_fail, @function
copy_or_fail:
    mov %rdx, %rcx
    cld
    .globl copy_access
    .hidden copy_access
copy_access:
    rep movsb
    .globl copy_access_end
    .hidden copy_access_end
copy_access_end:
    xor %eax, %eax
    ret
    .globl copy_failed
    .hidden copy_failed
copy_failed:
    mov $-14, %rax /* -EFAULT */
    ret
    .size copy_or_fail, . - copy_or_fail

    .globl fill_bytes
    .hidden fill_bytes
    .type fill_bytes, @function
fill_bytes:
    mov %esi, %eax
    mov %rdx, %rcx
    cld
    rep stosb
    ret
    .size fill_bytes, . - fill_bytes

/* In the place of memcpy and memmove, memset and strlen in the server: general registers only. */
    .globl server_move
    .hidden server_move
    .type server_move, @function
server_move:
    mov %rdi, %rax
    mov %rdx, %rcx
    mov %rdi, %r8
    sub %rsi, %r8
    cmp %rdx, %r8
    jb 1f
    rep movsb
    ret
1:  lea -1(%rdi, %rdx), %rdi /* from the end: the start of the one lies in the other */
    lea -1(%rsi, %rdx), %rsi
    std
    rep movsb
    cld
    ret
    .size server_move, . - server_move

    .globl server_fill
    .hidden server_fill
    .type server_fill, @function
server_fill:
    mov %rdi, %r8
    mov %esi, %eax
    mov %rdx, %rcx
    rep stosb
    mov %r8, %rax
    ret
    .size server_fill, . - server_fill

    .globl server_length
    .hidden server_length
    .type server_length, @function
server_length:
    xor %eax, %eax
1:  cmpb $0, (%rdi, %rax)
    je 2f
    inc %rax
    jmp 1b
2:  ret
    .size server_length, . - server_length

/* For hosts that run the library themselves: see loader/hand_off.c. Both ways out of foreign code
 * jump to a gate of the host. Entering, the gate jumps to omniglot_call with the entry in rax, its
 * argument in rdi and the stack aligned. leave_to_host is what trampolines call for callbacks:
 * slot and arguments are in edi and rsi, and the gate returns to the trampoline. */
    .globl omniglot_call
    .hidden omniglot_call
    .type omniglot_call, @function
omniglot_call:
    call *%rax
    jmp *omniglot_cells(%rip)
    .size omniglot_call, . - omniglot_call
    .globl leave_to_host
    .hidden leave_to_host
    .type leave_to_host, @function
leave_to_host:
    jmp *omniglot_cells+8(%rip)
    .size leave_to_host, . - leave_to_host

/* The host's handler of SIGSYS sends a thread here that made a system call. All registers are the
 * caller's, but that rcx holds where it goes on, r11 its stack pointer, and rsp the end of
 * serve_stack. Callers expect rax, rcx and r11 to change, so nothing is written to their stack, and
 * no frame of a signal is needed to go back. The server uses general registers only (build.rs), so
 * no others are saved. What is pushed here is `struct caller` of server/entry.c. */
    .globl serve_interrupted
    .hidden serve_interrupted
    .type serve_interrupted, @function
serve_interrupted:
    pushfq
    sub $8, %rsp
    push %r11
    push %rcx
    push %r9
    push %r8
    push %r10
    push %rdx
    push %rsi
    push %rdi
    push $0x202 /* no direction, alignment check or steps of the caller's */
    popfq
    mov %eax, %edi
    mov %rsp, %rsi
    call serve_call
    pop %rdi
    pop %rsi
    pop %rdx
    pop %r10
    pop %r8
    pop %r9
    pop %rcx
    pop %r11
    add $8, %rsp
    popfq
    mov %r11, %rsp
    jmp *%rcx
    .size serve_interrupted, . - serve_interrupted

/* Runs `describe` on the end of serve_stack. */
    .globl omniglot_describe
    .hidden omniglot_describe
    .type omniglot_describe, @function
omniglot_describe:
    push %rbx
    mov %rsp, %rbx
    lea serve_stack + 65536(%rip), %rsp /* SERVE_STACK */
    call describe
    mov %rbx, %rsp
    pop %rbx
    ret
    .size omniglot_describe, . - omniglot_describe

#endif

    .section .note.GNU-stack, "", @progbits
