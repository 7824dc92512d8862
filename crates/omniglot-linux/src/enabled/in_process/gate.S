# The call gate: the only code that changes between host and foreign code.
#
# Intel syntax; the names in braces are offsets and symbols that gate.rs fills in.
# Calling convention: System V ABI for x86-64, section 3.2.
#
# What a crossing needs is in a `Crossing`, in host memory. A call into foreign code is
# an ordinary call of `omniglot_enter` as far as the host's compiler knows: it comes
# back when foreign code returned, called back or was abandoned, and says which. No
# foreign frame ever lies between two frames of the host.
#
# While a thread's selector byte is 1 (block), every system call that the thread makes
# raises SIGSYS (Syscall User Dispatch, Linux 5.11). The signal code takes "the byte is
# 1" for "this thread runs foreign code".

    .text

# ---------------------------------------------------------------- enter and resume
#
# omniglot_enter(crossing: rdi) -> event: eax
#
# Runs foreign code with the registers in `crossing.next`: a new call, or what goes on
# after a callback.
    .balign 64
    .globl omniglot_enter
    .hidden omniglot_enter
    .type omniglot_enter, @function
omniglot_enter:
    push rbp
    push rbx
    push r12
    push r13
    push r14
    push r15
    sub rsp, 8
    mov rbx, rdi
    stmxcsr [rsp]                       # the host's floating point control
    fnstcw [rsp + 4]
    mov [rbx + {HOST_STACK}], rsp
    mov eax, [rsp]
    cmp eax, [rbx + {NEXT} + {MXCSR}]
    je 1f
    ldmxcsr [rbx + {NEXT} + {MXCSR}]
1:  movzx eax, word ptr [rsp + 4]
    cmp ax, [rbx + {NEXT} + {X87}]
    je 2f
    fldcw [rbx + {NEXT} + {X87}]
2:  mov rax, [rbx + {FOREIGN_THREAD}]
    wrfsbase rax

# From here to the jump nothing but rbx is needed, and nothing is changed that is read
# again. A thread that a signal finds here starts again at the first instruction: so
# the look at `stop` and the selector hold when foreign code begins.
    .globl omniglot_commit
    .hidden omniglot_commit
omniglot_commit:
    mov rax, [rbx + {STOP}]
    shr rax, 1
    cmp rax, [rbx + {NUMBER}]
    je omniglot_stopped
    mov r11, [rbx + {SELECTOR}]
    mov byte ptr [r11], 1
    mov r11, [rbx + {NEXT} + {TARGET}]
    mov rax, [rbx + {NEXT} + {ENTRY}]
    mov rdi, [rbx + {NEXT} + {ARGUMENT}]
    mov rsp, [rbx + {NEXT} + {STACK}]
    mov rbp, [rbx + {NEXT} + {RBP}]
    mov r12, [rbx + {NEXT} + {R12}]
    mov r13, [rbx + {NEXT} + {R13}]
    mov r14, [rbx + {NEXT} + {R14}]
    mov r15, [rbx + {NEXT} + {R15}]
    mov rbx, [rbx + {NEXT} + {RBX}]
    xor ecx, ecx                        # foreign code learns nothing of the host's
    xor edx, edx
    xor esi, esi
    xor r8d, r8d
    xor r9d, r9d
    xor r10d, r10d
    jmp r11
    .globl omniglot_commit_end
    .hidden omniglot_commit_end
omniglot_commit_end:

# A callback goes on by returning to the trampoline that waits on the foreign stack.
    .globl omniglot_go_on
    .hidden omniglot_go_on
omniglot_go_on:
    ret

omniglot_stopped:
    mov r11, rbx
    mov eax, {STOPPED}
    jmp omniglot_left

# ---------------------------------------------------------------- return and callback
#
# Each domain has a pair of doors, which foreign code jumps to: its number in the table
# of crossings is an operand of the door's first instruction.
    .balign 64
    .globl omniglot_return_doors
    .hidden omniglot_return_doors
omniglot_return_doors:
    .set omniglot_door, 0
    .rept {DOORS}
    .balign 16
    mov r11d, omniglot_door
    jmp omniglot_returned
    .set omniglot_door, omniglot_door + 1
    .endr

    .balign 16
    .globl omniglot_callback_doors
    .hidden omniglot_callback_doors
omniglot_callback_doors:
    .set omniglot_door, 0
    .rept {DOORS}
    .balign 16
    mov r11d, omniglot_door
    jmp omniglot_called_back
    .set omniglot_door, omniglot_door + 1
    .endr

    .balign 64
omniglot_returned:
    lea rax, [rip + {CROSSINGS}]
    mov r11, [rax + r11 * 8]
    mov [r11 + {LEFT} + {STACK}], rsp
    mov eax, {RETURNED}

# r11: the crossing; eax: the event. The stack is the host's again.
omniglot_left:
    mov rsp, [r11 + {HOST_STACK}]
    mov r10, [r11 + {SELECTOR}]
    mov byte ptr [r10], 0
    mov r10, [r11 + {HOST_THREAD}]
    wrfsbase r10
    pushfq
    pop rcx
    test ecx, {BAD_FLAGS}               # direction, alignment check, nested task
    jnz 5f
3:  stmxcsr [r11 + {LEFT} + {MXCSR}]
    mov ecx, [r11 + {LEFT} + {MXCSR}]
    cmp ecx, [rsp]
    jne 6f
4:  fnstcw [r11 + {LEFT} + {X87}]
    movzx ecx, word ptr [r11 + {LEFT} + {X87}]
    cmp cx, [rsp + 4]
    jne 7f
omniglot_back:
    add rsp, 8
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbx
    pop rbp
    ret
5:  push 0x202                          # interrupts on, all else clear
    popfq
    jmp 3b
6:  ldmxcsr [rsp]
    jmp 4b
7:  fldcw [rsp + 4]
    jmp omniglot_back

# edi: the slot; rsi: the arguments' address; the foreign callee-saved registers are
# those of the code that waits for the answer.
    .balign 64
omniglot_called_back:
    lea rax, [rip + {CROSSINGS}]
    mov r11, [rax + r11 * 8]
    mov [r11 + {LEFT} + {STACK}], rsp
    mov [r11 + {LEFT} + {RBP}], rbp
    mov [r11 + {LEFT} + {RBX}], rbx
    mov [r11 + {LEFT} + {R12}], r12
    mov [r11 + {LEFT} + {R13}], r13
    mov [r11 + {LEFT} + {R14}], r14
    mov [r11 + {LEFT} + {R15}], r15
    mov [r11 + {LEFT} + {ENTRY}], rdi
    mov [r11 + {LEFT} + {ARGUMENT}], rsi
    mov eax, {CALLED_BACK}
    jmp omniglot_left

# ---------------------------------------------------------------- abandon
#
# Where a signal handler sends a thread whose foreign code is given up. r11: the
# crossing; rsp: the host's; the FS base and the selector are the host's already.
    .globl omniglot_abandoned
    .hidden omniglot_abandoned
omniglot_abandoned:
    fninit                              # a pending x87 exception must not follow us
    fldcw [rsp + 4]
    ldmxcsr [rsp]
    mov eax, {ABANDONED}
    jmp omniglot_back

# ---------------------------------------------------------------- go on after a signal
#
# A signal handler cannot return straight into foreign code: the system call that ends
# it, rt_sigreturn, must not be dispatched, and so the selector must not say "block"
# yet. It returns here. rdi: the selector; rsi: all other registers, in memory that is
# the domain's. Floating point registers are in place. A thread that a signal finds here
# starts again, since nothing is lost.
    .balign 64
    .globl omniglot_resume
    .hidden omniglot_resume
omniglot_resume:
    mov byte ptr [rdi], 1
    mov rax, [rsi + 0]
    mov rbx, [rsi + 8]
    mov rcx, [rsi + 16]
    mov rdx, [rsi + 24]
    mov rdi, [rsi + 40]
    mov rbp, [rsi + 48]
    mov r8, [rsi + 56]
    mov r9, [rsi + 64]
    mov r10, [rsi + 72]
    mov r11, [rsi + 80]
    mov r12, [rsi + 88]
    mov r13, [rsi + 96]
    mov r14, [rsi + 104]
    mov r15, [rsi + 112]
    lea rsp, [rsi + 120]                # instruction, code segment, flags, stack, stack segment
    mov rsi, [rsi + 32]
    iretq
    .globl omniglot_resume_end
    .hidden omniglot_resume_end
omniglot_resume_end:

# ---------------------------------------------------------------- signals
#
# Every signal handler of ours begins here: number, siginfo and context are in edi, rsi
# and rdx. The kernel cleared the direction and trap flags, not the alignment check.
# The FS base may be a domain's, so no Rust code runs before the host's is back; the
# thread is known from the stack, which lies in the arena of alternate stacks if the
# thread ever entered foreign code.
    .balign 64
    .globl omniglot_signal
    .hidden omniglot_signal
    .type omniglot_signal, @function
omniglot_signal:
    push rbp
    mov rbp, rsp
    push rbx
    push r12
    push r13
    push r14
    pushfq
    and dword ptr [rsp], ~0x40000
    popfq
    xor ebx, ebx
    xor r14d, r14d
    mov rax, rsp
    sub rax, [rip + {ARENA_START}]
    cmp rax, [rip + {ARENA_SIZE}]
    jae 8f
    mov rbx, rsp
    and rbx, -{SLOT}
    add rbx, {SLOT} - {RECORD}          # the thread's record, above its stack
    rdfsbase r12
    mov r13, [rbx + {THREAD_SELECTOR}]
    movzx r14d, byte ptr [r13]
    mov byte ptr [r13], 0
    mov rax, [rbx + {THREAD_POINTER}]
    wrfsbase rax
8:  mov rcx, rbx
    mov r8d, r14d
    and rsp, -16
    cld
    call {ON_SIGNAL}
    test rbx, rbx
    jz 9f
    test eax, eax
    jz 9f
    wrfsbase r12                        # rt_sigreturn restores all registers but this
9:  lea rsp, [rbp - 32]
    pop r14
    pop r13
    pop r12
    pop rbx
    pop rbp
    ret

# omniglot_on_stack(signal: edi, info: rsi, context: rdx, handler: rcx, stack: r8)
#
# Runs a handler of the host that does not want an alternate stack.
    .globl omniglot_on_stack
    .hidden omniglot_on_stack
    .type omniglot_on_stack, @function
omniglot_on_stack:
    push rbp
    mov rbp, rsp
    mov rsp, r8
    call rcx
    mov rsp, rbp
    pop rbp
    ret
