/* AArch64: for the stub, if STUB is defined, or the loader. Calling convention: Procedure Call
 * Standard for the Arm 64-bit Architecture, section 6. */
#include <asm/unistd.h>

    .text

/* Of both: where a handler of signals returns to. The kernel's own such place is in the pages that
 * the stub unmaps. libgcc knows the frame before it by these instructions, if it finds no
 * description for the byte before them. */
    nop
    .globl return_from_handler
    .hidden return_from_handler
    .type return_from_handler, %function
return_from_handler:
    mov x8, #__NR_rt_sigreturn
    svc #0
    udf #0
    .size return_from_handler, . - return_from_handler

#ifdef STUB

    .globl _start
_start:
    mov x29, #0
    mov x30, #0
    mov x0, sp
    bl stub
    udf #0

/* enter(entry, stack): no function to run at exit. */
    .globl enter
enter:
    mov x16, x0
    mov sp, x1
    mov x0, #0
    mov x29, #0
    mov x30, #0
    br x16

/* The compiler may call these for copies of structs, even in a freestanding program. */
    .globl memcpy
memcpy:
    mov x3, x0
    cbz x2, 2f
1:  ldrb w4, [x1], #1
    strb w4, [x3], #1
    subs x2, x2, #1
    b.ne 1b
2:  ret

    .globl memset
memset:
    mov x3, x0
    cbz x2, 2f
1:  strb w1, [x3], #1
    subs x2, x2, #1
    b.ne 1b
2:  ret

/* make_thread(flags, stack): the thread's struct is at the end of its stack. */
    .globl make_thread
make_thread:
    mov x2, #0
    mov x3, #0
    mov x4, #0
    mov x8, #__NR_clone
    svc #0
    cbnz x0, 1f
    mov x29, #0
    mov x30, #0
    ldr x0, [sp]
    bl begin_thread
    udf #0
1:  ret

/* From here on a thread has no stack of its own, since what it ran last may be given to others.
 *
 * leave_thread: x19: the thread; x0: the word to clear for who waits for its end
 * (set_tid_address(2)), or 0. The thread is free before, since who waited may start the next one. */
    .globl leave_thread
leave_thread:
    mov x9, #0
    mov sp, x9
    stlr wzr, [x19]
    cbz x0, 1f
    stlr wzr, [x0]
    mov x1, #1 /* FUTEX_WAKE, as the kernel does it */
    mov x2, #1
    mov x8, #__NR_futex
    svc #0
1:  mov x0, x19

/* wait_for_work(thread) */
    .globl wait_for_work
wait_for_work:
    mov x19, x0
2:  mov x9, #0
    mov sp, x9
    mov x0, x19
    mov x1, #0 /* FUTEX_WAIT while it is free, for as long as it takes */
    mov x2, #0
    mov x3, #0
    mov x8, #__NR_futex
    svc #0
    isb
    ldar w9, [x19]
    cmp w9, #2 /* THREAD_RUNS */
    b.ne 2b
    ldr x9, [x19, #24]
    msr tpidr_el0, x9
    ldr x9, [x19, #296]
    msr fpcr, x9
    ldr x9, [x19, #40]
    mov sp, x9
    /* Where the thread begins is in x17, which no code may rely on there. */
    ldr x17, [x19, #32]
    ldp x1, x2, [x19, #56]
    ldp x3, x4, [x19, #72]
    ldp x5, x6, [x19, #88]
    ldp x7, x8, [x19, #104]
    ldp x9, x10, [x19, #120]
    ldp x11, x12, [x19, #136]
    ldp x13, x14, [x19, #152]
    ldp x15, x16, [x19, #168]
    ldr x18, [x19, #192]
    ldp x20, x21, [x19, #208]
    ldp x22, x23, [x19, #224]
    ldp x24, x25, [x19, #240]
    ldp x26, x27, [x19, #256]
    ldp x28, x29, [x19, #272]
    ldr x30, [x19, #288]
    ldr x19, [x19, #200]
    mov x0, #0
    ret x17 /* not a branch, for which there would have to be a mark (BTI) */

#else

/* See server/access.c and server/server.h. */
    .globl copy_or_fail
    .hidden copy_or_fail
    .type copy_or_fail, %function
copy_or_fail:
    .globl copy_access
    .hidden copy_access
copy_access:
1:  cmp x2, #16
    b.lo 2f
    ldp x4, x5, [x1], #16
    stp x4, x5, [x0], #16
    sub x2, x2, #16
    b 1b
2:  cbz x2, 3f
    ldrb w4, [x1], #1
    strb w4, [x0], #1
    sub x2, x2, #1
    b 2b
    .globl copy_access_end
    .hidden copy_access_end
copy_access_end:
3:  mov x0, #0
    ret
    .globl copy_failed
    .hidden copy_failed
copy_failed:
    mov x0, #-14 /* -EFAULT */
    ret
    .size copy_or_fail, . - copy_or_fail

    .globl fill_bytes
    .hidden fill_bytes
    .type fill_bytes, %function
fill_bytes:
    and x1, x1, #255
    mov x3, #0x0101010101010101
    mul x3, x1, x3
1:  cmp x2, #16
    b.lo 2f
    stp x3, x3, [x0], #16
    sub x2, x2, #16
    b 1b
2:  cbz x2, 3f
    strb w3, [x0], #1
    sub x2, x2, #1
    b 2b
3:  ret
    .size fill_bytes, . - fill_bytes

#endif

    .section .note.GNU-stack, "", %progbits
