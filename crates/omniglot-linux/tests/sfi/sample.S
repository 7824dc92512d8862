# A library for a region, as a rewriter would write it, that does what a test wants.
#
# A frame is { status, error: 32 bits each; a, b, result: 64 bits each; more }, at %edi.

    .set BASE, 0x3f000

    .macro LINE
    .balign 32, 0x90
    .endm

    .macro GO_BACK
    LINE
    popq %r11
    andl $-32, %r11d
    addq %gs:BASE, %r11
    pushq %r11
    ret
    .endm

# Calls end at a line, so that they return to one.
    .macro CALL_EAX
    LINE
    .fill 18, 1, 0x90
    andl $-32, %eax
    addq %gs:BASE, %rax
    call *%rax
    .endm

    .macro CALL_LINE to
    LINE
    .fill 27, 1, 0x90
    call \to
    .endm

    .macro SHIM name
    LINE
    .type \name, @function
    .globl \name
\name:
    .endm

    .text
SHIM add
    movq %gs:8(%edi), %rax
    addq %gs:16(%edi), %rax
    movq %rax, %gs:24(%edi)
    GO_BACK

# Divides by zero, which sets a flag in the x87 unit.
SHIM set_flag
    fld1
    fldz
    fdivrp
    fstp %st(0)
    GO_BACK

# Returns the x87 unit's status word, and behind it the signs of its eight registers.
SHIM float_state
    xorl %ecx, %ecx
    fnstsw %ax
    movzwl %ax, %edx
    LINE
    .rept 8
    fxam
    fnstsw %ax
    shrl $9, %eax
    andl $1, %eax
    addl %ecx, %ecx
    orl %eax, %ecx
    fincstp
    .endr
    LINE
    shll $16, %ecx
    orl %ecx, %edx
    movq %rdx, %gs:24(%edi)
    GO_BACK

# Calls slot `a` with its own frame, and adds `b` to what comes of it.
SHIM call_back
    pushq %rbx
    movl %edi, %ebx
    movl %edi, %esi
    movl %gs:8(%edi), %edi
    movl %gs:callback, %eax
    CALL_EAX
    movq %gs:24(%ebx), %rax
    addq %gs:16(%ebx), %rax
    movq %rax, %gs:24(%ebx)
    popq %rbx
    GO_BACK

SHIM load
    movl %gs:8(%edi), %eax
    movq %gs:(%eax), %rax
    movq %rax, %gs:24(%edi)
    GO_BACK

SHIM store
    movl %gs:8(%edi), %eax
    movq %gs:16(%edi), %rcx
    movq %rcx, %gs:(%eax)
    GO_BACK

SHIM loop
    jmp loop

SHIM push_forever
    pushq %rax
    jmp push_forever

SHIM step_forever
    subq $0x8000, %rsp
    movq %rax, (%rsp)
    jmp step_forever

# The system call `a` with `b` and what follows the result: RSI, RDX, R10. Then come XMM5 and R9.
SHIM system_call
    pushq %rbx
    movl %edi, %ebx
    movq %gs:8(%edi), %rax
    movq %gs:32(%edi), %rsi
    movq %gs:40(%edi), %rdx
    movq %gs:48(%edi), %r10
    LINE
    movq %rax, %xmm5
    leaq 1(%rax), %r9
    movq %gs:16(%edi), %rdi
    CALL_LINE gate_system_call
    movq %rax, %gs:24(%ebx)
    movq %xmm5, %rax
    movq %rax, %gs:56(%ebx)
    movq %r9, %gs:64(%ebx)
    LINE
    popq %rbx
    GO_BACK

SHIM give_up
    CALL_LINE gate_abort
    hlt

# All registers that it finds, to the address `a`: general ones but RAX and RDI, then vectors.
SHIM registers
    movl %gs:8(%edi), %eax
    movq %rbx, %gs:(%eax)
    movq %rcx, %gs:8(%eax)
    movq %rdx, %gs:16(%eax)
    movq %rsi, %gs:24(%eax)
    LINE
    movq %rbp, %gs:32(%eax)
    movq %r8, %gs:40(%eax)
    movq %r9, %gs:48(%eax)
    movq %r10, %gs:56(%eax)
    LINE
    movq %r12, %gs:64(%eax)
    movq %r13, %gs:72(%eax)
    movq %r14, %gs:80(%eax)
    movq %r15, %gs:88(%eax)
    .irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    LINE
    vmovups %ymm\number, %gs:96 + 32 * \number(%eax)
    .endr
    GO_BACK

# Leaves the x87 unit with other precision, all exceptions unmasked, one of them waiting, and
# values in its registers; and MXCSR as `a` says.
SHIM disturb
    fldcw %gs:unmasked
    fld1
    fld1
    fldz
    fdivrp
    LINE
    ldmxcsr %gs:8(%edi)
    movl $-1, %eax
    movq %rax, %xmm3
    GO_BACK

SHIM jump
    movl %gs:8(%edi), %eax
    LINE
    andl $-32, %eax
    addq %gs:BASE, %rax
    jmp *%rax

# Another stack pointer, from `a`; and then returns there.
SHIM set_stack
    LINE
    movl %gs:8(%edi), %esp
    addq %gs:BASE, %rsp
    pushq %rax
    LINE
    popq %rax
    GO_BACK

SHIM count
    addq $1, %gs:counter
    movq %gs:counter, %rax
    movq %rax, %gs:24(%edi)
    LINE
    addq $1, %gs:zeros
    movq %gs:zeros, %rax
    movq %rax, %gs:32(%edi)
    GO_BACK

SHIM divide
    xorl %ecx, %ecx
    divl %ecx
    GO_BACK

SHIM illegal
    ud2

# Leaves for the outermost call: what set it up is above on the stack, at `a`.
SHIM leave_outer
    LINE
    movl %gs:8(%edi), %esp
    addq %gs:BASE, %rsp
    testb $0, (%rsp)
    LINE
    movl $0x400a0, %eax
    LINE
    andl $-32, %eax
    addq %gs:BASE, %rax
    jmp *%rax

SHIM stack_pointer
    leal 8(%rsp), %eax
    movq %rax, %gs:24(%edi)
    GO_BACK

# Runs `a` laps of arithmetic on all it has; its result tells if one was disturbed.
SHIM work
    movq %gs:8(%edi), %rcx
    xorl %eax, %eax
    pushq %rbx
    xorl %ebx, %ebx
again:
    LINE
    addq $3, %rax
    pushq %rax
    popq %rbx
    cmpq %rbx, %rax
    jne broken
    subq $1, %rcx
    jne again
    LINE
    movq %rax, %gs:24(%edi)
    popq %rbx
    GO_BACK
broken:
    hlt

# Words that lie beside the code, and the base's own.
SHIM base
    movq %gs:BASE, %rax
    movq %rax, %gs:24(%edi)
    GO_BACK

# What a constructor does.
SHIM start
    movq $41, %gs:counter
    GO_BACK

# Calls back for ever.
SHIM call_back_forever
    movl %edi, %esi
    xorl %edi, %edi
    movl %gs:callback, %eax
    CALL_EAX
    jmp call_back_forever

# A request for `brk` that is no stack's, but a constant.
SHIM ask_in_constants
    movl $request, %esi
    movl $-1, %edi
    LINE
    jmp gate_ask

# Asks for the system call `a` with `b` and what follows the result, for ever.
SHIM ask_forever
    movl %edi, %ebx
ask_again:
    LINE
    movq %gs:8(%ebx), %rax
    movq %gs:32(%ebx), %rsi
    movq %gs:40(%ebx), %rdx
    LINE
    movq %gs:48(%ebx), %r10
    movq %gs:16(%ebx), %rdi
    CALL_LINE gate_system_call
    jmp ask_again

# Goes to a stack at `a` and back; its result is what it pushed there.
SHIM other_stack
    pushq %rbx
    leal 0(%rsp), %ebx
    movq $42, %rcx
    LINE
    movl %gs:8(%edi), %esp
    addq %gs:BASE, %rsp
    pushq %rcx
    LINE
    popq %rax
    movq %rax, %gs:24(%edi)
    LINE
    movl %ebx, %esp
    addq %gs:BASE, %rsp
    popq %rbx
    GO_BACK

    .section .rodata
    .balign 16
request:
    .quad 12, 0, 0, 0, 0, 0, 0, 0
    .globl omniglot_image
omniglot_image:
    .long 1, (shims_end - shims) / 8, 1, 0
    .quad shims, trampolines, callback
shims:
    .quad add, call_back, load, store, loop, push_forever, step_forever, system_call, give_up
    .quad registers, disturb, jump, set_stack, count, divide, illegal, leave_outer
    .quad stack_pointer, work, base, call_back_forever, ask_in_constants, ask_forever
    .quad other_stack, set_flag, float_state
shims_end:
trampolines:
    .quad call_back
    .globl constant
constant:
    .quad 0x1234
unmasked:
    .word 0x200

    .data
    .globl callback, counter, omniglot_sfi_heap_start, omniglot_sfi_heap_end
callback:
    .quad 0
omniglot_sfi_heap_start:
    .quad 0
omniglot_sfi_heap_end:
    .quad 0
counter:
    .quad 7

    .bss
    .balign 8
    .globl zeros
zeros:
    .skip 0x5000

    .section .note.GNU-stack, "", @progbits
