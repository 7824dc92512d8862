# The call gate: the only code that changes between host and foreign code.
#
# Intel syntax; the names in braces are offsets and symbols that gate.rs fills in.
# Calling convention: System V ABI for x86-64, section 3.2.
#
# What the gate needs of a call is in a `GateContext`, in host memory. A call into foreign code is
# an ordinary call of `omniglot_enter` as far as the host's compiler knows: it comes
# back when foreign code returned, called back or was abandoned, and says which. No
# foreign frame ever lies between two frames of the host.
#
# While a thread's selector byte is 1 (block), every system call that the thread makes
# raises SIGSYS (Syscall User Dispatch, Linux 5.11). The signal code takes "the byte is
# 1" for "this thread runs foreign code".

    .text

# ---------------------------------------------------------------- what both gates share
#
# The gate exists twice, for domains without a protection key and, from "protection keys" on,
# for those behind one. What both do stands here once.

# The host's registers onto its stack, and that into the context (rdi, and then rbx).
    .macro save_host
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
    .endm

# The registers that foreign code starts with, but for the target: of `Registers` at `from`, an
# expression that may name rbx, which is therefore the last. Foreign code learns nothing of the
# host's: rcx, rsi and r8 to r10 are 0.
    .macro load_next from
    mov rax, [\from + {ENTRY}]
    mov rdi, [\from + {ARGUMENT}]
    mov rsp, [\from + {STACK}]
    mov rbp, [\from + {RBP}]
    mov r12, [\from + {R12}]
    mov r13, [\from + {R13}]
    mov r14, [\from + {R14}]
    mov r15, [\from + {R15}]
    mov rbx, [\from + {RBX}]
    xor ecx, ecx
    xor esi, esi
    xor r8d, r8d
    xor r9d, r9d
    xor r10d, r10d
    .endm

# The registers that foreign code left in a callback, into the context (r11). edi: the slot;
# rsi: the arguments' address; the callee-saved registers are those of the code that waits for
# the answer, which goes on with its own floating point control.
    .macro save_left
    mov [r11 + {LEFT} + {STACK}], rsp
    mov [r11 + {LEFT} + {RBP}], rbp
    mov [r11 + {LEFT} + {RBX}], rbx
    mov [r11 + {LEFT} + {R12}], r12
    mov [r11 + {LEFT} + {R13}], r13
    mov [r11 + {LEFT} + {R14}], r14
    mov [r11 + {LEFT} + {R15}], r15
    mov [r11 + {LEFT} + {ENTRY}], rdi
    mov [r11 + {LEFT} + {ARGUMENT}], rsi
    stmxcsr [r11 + {LEFT} + {MXCSR}]
    .endm

# Whether the x87 control word that foreign code left, in the word of memory, is the host's (in
# [rsp + 4]), and nothing waits; else goes on at the label `unusual`. r11: the context.
#
# An x87 exception that waits would be raised by the next x87 instruction that looks for one,
# fldcw and emms among them, as if it were the host's (SDM volume 1, section 8.7). One waits
# only if it is unmasked (section 8.1.3.3), and so none behind a control word that masks all
# six, unless the processor believes a status word that says so: see x87.rs. The word itself is
# not asked for, since that takes longer than all else here.
    .macro check_x87 word, unusual
    movzx ecx, word ptr [\word]
    cmp cx, [rsp + 4]
    jne \unusual
    not ecx
    test ecx, 0x3f
    jnz \unusual
    test dword ptr [r11 + {FEATURES}], {BELIEVES}
    jnz \unusual
    .endm

# The exits, to which foreign code jumps: each puts its number into r11, executes `first`, and
# continues at `to`.
    .macro exits count, to, first
    .set omniglot_exit, 0
    .rept \count
    .balign 16
    mov r11d, omniglot_exit
    \first
    jmp \to
    .set omniglot_exit, omniglot_exit + 1
    .endr
    .endm

# All registers of interrupted foreign code, of `saved` at rsi + `at`; r10 is its stack pointer,
# and r11 its instruction, which goes to below the red zone.
    .macro load_interrupted at
    mov [r10 - 136], r11
    mov rax, [rsi + \at + 0]
    mov rbx, [rsi + \at + 8]
    mov rcx, [rsi + \at + 16]
    mov rdx, [rsi + \at + 24]
    mov rdi, [rsi + \at + 40]
    mov rbp, [rsi + \at + 48]
    mov r8, [rsi + \at + 56]
    mov r9, [rsi + \at + 64]
    mov r10, [rsi + \at + 72]
    mov r11, [rsi + \at + 80]
    mov r12, [rsi + \at + 88]
    mov r13, [rsi + \at + 96]
    mov r14, [rsi + \at + 104]
    mov r15, [rsi + \at + 112]
    lea rsp, [rsi + \at + 136]          # flags, and then the stack pointer
    mov rsi, [rsi + \at + 32]
    popfq
    pop rsp
    jmp qword ptr [rsp - 136]
    .endm

# Back to the host's caller. eax: the event; the stack pointer is as save_host left it.
#
# A processor predicts where `ret` leads from the calls it has seen. In a callback foreign frames
# are among these, since foreign code has called and not yet returned. A jump leaves them there,
# and the host resumes by a jump, too (gate.rs), so foreign code's returns are predicted.
    .macro back
    add rsp, 8
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbx
    pop rbp
    cmp eax, {CALLED_BACK}
    je omniglot_back_by_jump_\@
    ret
omniglot_back_by_jump_\@:
    pop rcx
    jmp rcx
    .endm

# ---------------------------------------------------------------- enter and resume
#
# omniglot_enter(context: rdi) -> event: eax
#
# Runs foreign code with the registers in `context.next`: a new call, or what goes on
# after a callback.
    .balign 64
    .globl omniglot_enter
    .hidden omniglot_enter
    .type omniglot_enter, @function
omniglot_enter:
    save_host
    rdgsbase rax
    mov [rbx + {HOST_SEGMENT}], rax
    mov eax, [rsp]
    xor eax, [rbx + {NEXT} + {MXCSR}]
    test eax, 0xffc0                    # all but the flags, which no code relies on
    jz 1f
    ldmxcsr [rbx + {NEXT} + {MXCSR}]
1:  movzx eax, word ptr [rsp + 4]
    cmp ax, [rbx + {NEXT} + {X87}]
    je 2f
    fldcw [rbx + {NEXT} + {X87}]
# Writing a base takes longer than all else here together (14 ns on a Zen 3), so it is
# written only if the code that follows may use it.
2:  mov rax, [rbx + {FOREIGN_THREAD}]
    test rax, rax
    jz omniglot_commit
    wrfsbase rax

# From here to the jump nothing but rbx is needed, and nothing is changed that is read
# again. A thread that a signal finds here starts again at the first instruction: so
# the check of `stop` and the selector hold when foreign code begins.
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
    load_next rbx+{NEXT}
    xor edx, edx
    jmp r11
    .globl omniglot_commit_end
    .hidden omniglot_commit_end
omniglot_commit_end:

# After a callback, foreign code resumes in the trampoline that waits on the foreign stack.
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
# Each domain has a pair of exits, which foreign code jumps to: its number in the table
# of contexts is an operand of the exit's first instruction.
    .balign 64
    .globl omniglot_return_exits
    .hidden omniglot_return_exits
omniglot_return_exits:
    exits {EXITS}, omniglot_returned

    .balign 16
    .globl omniglot_callback_exits
    .hidden omniglot_callback_exits
omniglot_callback_exits:
    exits {EXITS}, omniglot_called_back

    .balign 64
omniglot_returned:
    lea rax, [rip + {CONTEXTS}]
    mov r11, [rax + r11 * 8]
    mov [r11 + {LEFT} + {STACK}], rsp
    mov eax, {RETURNED}

# r11: the context; eax: the event. The stack is the host's again.
#
# What foreign code may have changed is read where reading is cheaper than writing. The
# flags of MXCSR are the host's as well as its control bits: LDMXCSR takes a fraction of a
# nanosecond, STMXCSR and a look at it six.
omniglot_left:
    mov rsp, [r11 + {HOST_STACK}]
    mov r10, [r11 + {SELECTOR}]
    mov byte ptr [r10], 0
    rdfsbase rcx
    cmp rcx, [r11 + {HOST_THREAD}]
    jne 2f
1:  rdgsbase rcx
    cmp rcx, [r11 + {HOST_SEGMENT}]
    jne 4f
3:  pushfq
    pop rcx
    test ecx, {BAD_FLAGS}               # direction, alignment check, nested task
    jnz 6f
5:  ldmxcsr [rsp]
    fnstcw [r11 + {LEFT} + {X87}]
    check_x87 r11+{LEFT}+{X87}, 8f
    emms                                # x87 registers are empty between functions
omniglot_back:
    back
2:  mov rcx, [r11 + {HOST_THREAD}]
    wrfsbase rcx
    jmp 1b
4:  mov rcx, [r11 + {HOST_SEGMENT}]
    wrgsbase rcx
    jmp 3b
6:  push 0x202                          # interrupts on, all else clear
    popfq
    jmp 5b
8:  fninit
    fldcw [rsp + 4]
    jmp omniglot_back

    .balign 64
omniglot_called_back:
    lea rax, [rip + {CONTEXTS}]
    mov r11, [rax + r11 * 8]
    save_left
    mov eax, {CALLED_BACK}
    jmp omniglot_left

# ---------------------------------------------------------------- abandon
#
# Where a signal handler sends a thread whose foreign code is given up. r11: the
# context; rsp: the host's; the FS base and the selector are the host's already.
    .globl omniglot_abandoned
    .hidden omniglot_abandoned
omniglot_abandoned:
    fninit                              # a pending x87 exception must not follow us
    fldcw [rsp + 4]
    ldmxcsr [rsp]
    mov eax, {ABANDONED}
    mov rcx, [r11 + {HOST_SEGMENT}]
    wrgsbase rcx
    jmp omniglot_back

# ---------------------------------------------------------------- resume after a signal
#
# A signal handler cannot return straight into foreign code: the system call that ends
# it, rt_sigreturn, must not be dispatched, and so the selector must not say "block"
# yet. It returns here. rdi: the selector; rsi: all other registers, in memory that is
# the domain's. Floating point registers are in place. A thread that a signal finds here
# starts again, since nothing is lost. (One instruction, iretq, could do the last three;
# QEMU up to at least 7.2 faults on it outside the kernel where SMAP is on.)
    .balign 64
    .globl omniglot_resume
    .hidden omniglot_resume
omniglot_resume:
    mov byte ptr [rdi], 1
    mov r10, [rsi + 144]                # the stack pointer
    mov r11, [rsi + 120]                # the instruction, to below the red zone
    load_interrupted 0
    .globl omniglot_resume_end
    .hidden omniglot_resume_end
omniglot_resume_end:

# ---------------------------------------------------------------- signals
#
# Every signal handler of ours begins here: number, siginfo and context are in edi, rsi
# and rdx. The kernel cleared the direction and trap flags, not the alignment check; and
# rt_sigreturn leaves the nested task flag as it finds it, whatever the frame says.
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
    and dword ptr [rsp], ~0x44000       # alignment check, nested task
    popfq
    xor ebx, ebx
    xor r14d, r14d
    mov eax, [rip + {SIGNAL_RIGHTS}]    # 0 where there are no protection keys
    test eax, eax
    jz 7f
# The kernel starts handlers with the rights that it gives by default: key 0, and so all
# memory of the host, but not the page of selectors, without which no system call can be
# made. Foreign code that jumps here to gain rights must know the cookie, which only who
# has key 0 already can read.
    mov r10, [rip + {COOKIE}]
    mov r11, rdx
    xor ecx, ecx
    xor edx, edx
    .globl omniglot_write_in_signal
    .hidden omniglot_write_in_signal
omniglot_write_in_signal:
    wrpkru
    cmp eax, [rip + {SIGNAL_RIGHTS}]
    jne omniglot_die
    cmp r10, [rip + {COOKIE}]
    jne omniglot_die
    xor r10d, r10d
    mov rdx, r11
7:  mov rax, rsp
    sub rax, [rip + {ARENA_START}]
    cmp rax, {ARENA_SIZE}
    jae 8f
    mov rbx, rsp
    and rbx, -{SLOT}
    add rbx, {SLOT} - {RECORD}          # the thread's record, above its stack
    rdfsbase r12
    lea r13, [rbx + {THREAD_BYTE}]      # in a forked child, which has no shared page
    mov rax, [rip + {GENERATION}]
    mov rax, [rax]
    cmp rax, [rbx + {THREAD_GENERATION}]
    cmove r13, [rbx + {THREAD_SELECTOR}]
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

# ================================================================ protection keys
#
# The same gate for domains behind a protection key. PKRU says what a thread may access;
# five instructions of this file write it, and foreign code can jump to each with any
# registers. So each is followed by a comparison of the written value with memory that only
# the host can write, before anything else happens; a mismatch ends in `omniglot_die`.
#
# `omniglot_shared` is a page that foreign code can read and not write, followed by the
# selectors of all threads. It holds for each key: PKRU for that domain, where the domain's
# window starts, PKRU of the host thread that runs it, and that thread's number; 0 while none
# does.
#
# No register can tell which thread this is, since foreign code could write it. The kernel
# does: in the processor's table of segment descriptors it keeps one for each thread, whose
# limit is the thread's number (set_thread_area(2)). LSL reads the limit (SDM volume 2); only a
# system call could change it. If the kernel provides none, LSL leaves the
# register as it is, which is every thread's number then, and one thread at a time is here.
#
# So with the thread's number in the page, only the thread that the host sends can enter,
# and only then; otherwise one domain could run another without the host, or gain
# its rights from it, and use them while the host reads its memory. And only the thread
# that entered can leave; otherwise a domain could return onto the stack of another thread.
    .section .bss.omniglot_shared, "aw", @nobits
    .balign 4096
    .globl omniglot_shared
    .hidden omniglot_shared
omniglot_shared:
    .skip {SHARED_SIZE}

    .section .rodata.omniglot_zero, "a", @progbits
    .balign 4
omniglot_zero:
    .long 0

# What SSE has, where there is no AVX.
    .macro clear_sse
    .irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    xorps xmm\number, xmm\number
    .endr
    .endm

    .macro clear_multimedia_registers
    pxor mm0, mm0
    pxor mm1, mm1
    pxor mm2, mm2
    pxor mm3, mm3
    pxor mm4, mm4
    pxor mm5, mm5
    pxor mm6, mm6
    pxor mm7, mm7
    emms
    .endm

# No secret of the host stays in a register: x87, vector, mask and tile registers are
# cleared. ecx: the processor's features; [rsp + 4]: the x87 control word; changes rax, rcx
# and rdx.
#
# FNINIT takes 32 ns on a Zen 3, so where it would only clear the data registers and the
# addresses of the last instruction and operand, other instructions do that: the addresses
# are then of here. Processors that note an operand's address only when an exception is raised
# keep the old one, and need FNINIT.
    .macro clear_registers
    cmp word ptr [rsp + 4], 0x37f
    jne 4f
    fnstsw ax
    test ax, ax
    jnz 4f
    clear_multimedia_registers
    test ecx, {KEEPS_OPERAND}
    jnz 6f
    fld dword ptr [rip + omniglot_zero]
    fstp st(0)
    jmp 5f
4:  fninit                              # first of all: an exception may wait
    clear_multimedia_registers
6:  fninit
5:  test ecx, {AVX512}
    jz 1f
    vpxorq zmm16, zmm16, zmm16
    vpxorq zmm17, zmm17, zmm17
    vpxorq zmm18, zmm18, zmm18
    vpxorq zmm19, zmm19, zmm19
    vpxorq zmm20, zmm20, zmm20
    vpxorq zmm21, zmm21, zmm21
    vpxorq zmm22, zmm22, zmm22
    vpxorq zmm23, zmm23, zmm23
    vpxorq zmm24, zmm24, zmm24
    vpxorq zmm25, zmm25, zmm25
    vpxorq zmm26, zmm26, zmm26
    vpxorq zmm27, zmm27, zmm27
    vpxorq zmm28, zmm28, zmm28
    vpxorq zmm29, zmm29, zmm29
    vpxorq zmm30, zmm30, zmm30
    vpxorq zmm31, zmm31, zmm31
    kxorw k0, k0, k0
    kxorw k1, k1, k1
    kxorw k2, k2, k2
    kxorw k3, k3, k3
    kxorw k4, k4, k4
    kxorw k5, k5, k5
    kxorw k6, k6, k6
    kxorw k7, k7, k7
1:  test ecx, {AVX}
    jz 2f
    vzeroall
    jmp 3f
2:  clear_sse
# Only where tiles are in use: elsewhere the instruction may raise what the kernel takes for
# a request (SDM volume 2, TILERELEASE; volume 1, section 13.14).
3:  test ecx, {AMX}
    jz 7f
    mov ecx, 1
    xgetbv
    test eax, {TILES}
    jz 7f
    tilerelease
7:
    .endm

    .text
    .balign 64
    .globl omniglot_keyed_enter
    .hidden omniglot_keyed_enter
    .type omniglot_keyed_enter, @function
omniglot_keyed_enter:
    save_host
    mov ecx, [rbx + {FEATURES}]
    clear_registers
    ldmxcsr [rbx + {NEXT} + {MXCSR}]
    fldcw [rbx + {NEXT} + {X87}]
    rdgsbase rax
    mov [rbx + {HOST_SEGMENT}], rax
    test rax, rax
    jz 6f
    xor eax, eax
    wrgsbase rax
6:  mov rax, [rbx + {FOREIGN_THREAD}]
    test rax, rax
    jz omniglot_keyed_commit
    wrfsbase rax

# A thread that a signal finds from here to the jump starts again here, with the host's
# PKRU, rbx, and the registers written to the domain once more.
    .globl omniglot_keyed_commit
    .hidden omniglot_keyed_commit
omniglot_keyed_commit:
    mov rax, [rbx + {STOP}]
    shr rax, 1
    cmp rax, [rbx + {NUMBER}]
    je omniglot_keyed_stopped
    cmp dword ptr [rbx + {IS_BARRED}], 0
    jne omniglot_keyed_stopped
    mov r11, [rbx + {SELECTOR}]
    mov byte ptr [r11], 1
    mov eax, [rbx + {FOREIGN_RIGHTS}]
    mov r10d, [rbx + {KEY}]
    xor ecx, ecx
    xor edx, edx
    .globl omniglot_write_on_entry
    .hidden omniglot_write_on_entry
omniglot_write_on_entry:
    wrpkru
    cmp r10, 15                         # all 64 bits: foreign code may have set them
    ja omniglot_die
    lea r9, [rip + omniglot_shared]
    cmp eax, [r9 + r10 * 4 + {SHARED_RIGHTS}]
    jne omniglot_die
# Up to here PKRU may be that of a domain which this thread does not run: nothing was done
# with it but reading the page that all may read.
    mov ecx, {IDENTITY}
    lsl ecx, ecx
    cmp ecx, [r9 + r10 * 4 + {SHARED_RUNNERS}]
    jne omniglot_die
# All registers come from the domain's own memory, and the target once only.
    mov rsi, [r9 + r10 * 8 + {SHARED_WINDOWS}]
    lea r11, [rip + omniglot_die]
    xchg r11, [rsi + {AREA_NEXT}]
    load_next rsi+{AREA_NEXT}
    jmp r11
    .globl omniglot_keyed_commit_end
    .hidden omniglot_keyed_commit_end
omniglot_keyed_commit_end:

    .globl omniglot_die
    .hidden omniglot_die
omniglot_die:
    ud2

omniglot_keyed_stopped:
    mov r11, rbx
    mov r10d, {STOPPED}
    jmp omniglot_keyed_left

# The exit: all registers are attacker-controlled. Each key has a pair of exits. From
# `checked` to the end of the range PKRU decides what this is: with the host's, the gate,
# since code gets there with those only through all checks; with a domain's, foreign code.
    .balign 64
    .globl omniglot_keyed_return_exits
    .hidden omniglot_keyed_return_exits
omniglot_keyed_return_exits:
    exits 16, omniglot_keyed_leave, "xor r8d, r8d"
    .balign 16
    .globl omniglot_keyed_callback_exits
    .hidden omniglot_keyed_callback_exits
omniglot_keyed_callback_exits:
    exits 16, omniglot_keyed_leave, "mov r8b, 1"

# From here to `checked` nothing is known of this thread, whatever PKRU is: it may be foreign
# code that jumped into the midst. Nothing is changed that is read here, so a thread that a
# signal finds here starts again from here, as foreign code.
    .globl omniglot_keyed_leave
    .hidden omniglot_keyed_leave
omniglot_keyed_leave:
    cmp r11, 15
    ja omniglot_die
    lea r9, [rip + omniglot_shared]
    mov eax, [r9 + r11 * 4 + {SHARED_HOST}]
    xor ecx, ecx
    xor edx, edx
    .globl omniglot_write_on_exit
    .hidden omniglot_write_on_exit
omniglot_write_on_exit:
    wrpkru
    cmp r11, 15
    ja omniglot_die
    lea r9, [rip + omniglot_shared]
    cmp eax, [r9 + r11 * 4 + {SHARED_HOST}]
    jne omniglot_die
# If this is the thread that runs the domain of that key now, everything in the context about
# the host is this thread's: one domain at a time runs on a thread.
    mov ecx, {IDENTITY}
    lsl ecx, ecx
    cmp ecx, [r9 + r11 * 4 + {SHARED_RUNNERS}]
    jne omniglot_die
    .globl omniglot_keyed_checked
    .hidden omniglot_keyed_checked
omniglot_keyed_checked:
    lea r9, [rip + {KEYED}]
    mov r11, [r9 + r11 * 8]
    save_left
    fnstcw [r11 + {LEFT} + {X87}]
    mov r10d, r8d
    and r10d, 1                         # returned or called back
# A handler of the host may soon run on this stack, which must be the host's before system
# calls are.
    mov rsp, [r11 + {HOST_STACK}]
    mov r9, [r11 + {SELECTOR}]
    mov byte ptr [r9], 0
    .globl omniglot_keyed_exit_end
    .hidden omniglot_keyed_exit_end
omniglot_keyed_exit_end:

# r11: the context; r10d: the event.
omniglot_keyed_left:
    mov r9, [r11 + {SELECTOR}]
    mov byte ptr [r9], 0
    mov rsp, [r11 + {HOST_STACK}]
    rdfsbase rax
    cmp rax, [r11 + {HOST_THREAD}]
    je 1f
    mov rax, [r11 + {HOST_THREAD}]
    wrfsbase rax
1:  mov eax, r10d

# rsp: the host's; eax: the event; r11: the context. As omniglot_left.
omniglot_keyed_back:
    rdgsbase rcx
    cmp rcx, [r11 + {HOST_SEGMENT}]
    je 2f
    mov rcx, [r11 + {HOST_SEGMENT}]
    wrgsbase rcx
2:  pushfq
    pop rcx
    test ecx, {BAD_FLAGS}
    jz 3f
    push 0x202
    popfq
3:  ldmxcsr [rsp]
    fnstcw [rsp + 6]
    check_x87 rsp+6, 4f
    emms
    jmp omniglot_back
4:  fninit
    fldcw [rsp + 4]
    jmp omniglot_back

# As omniglot_abandoned; the handler restored PKRU.
    .globl omniglot_keyed_abandoned
    .hidden omniglot_keyed_abandoned
omniglot_keyed_abandoned:
    fninit
    fldcw [rsp + 4]
    mov eax, {ABANDONED}
    jmp omniglot_keyed_back

# As omniglot_resume, with the host's PKRU; eax: the domain's; r10: its key.
    .balign 64
    .globl omniglot_keyed_resume
    .hidden omniglot_keyed_resume
omniglot_keyed_resume:
    mov byte ptr [rdi], 1
    xor ecx, ecx
    xor edx, edx
    .globl omniglot_write_on_resume
    .hidden omniglot_write_on_resume
omniglot_write_on_resume:
    wrpkru
    cmp r10, 15                         # all 64 bits: foreign code may have set them
    ja omniglot_die
    lea r9, [rip + omniglot_shared]
    cmp eax, [r9 + r10 * 4 + {SHARED_RIGHTS}]
    jne omniglot_die
    mov ecx, {IDENTITY}                 # as on entry
    lsl ecx, ecx
    cmp ecx, [r9 + r10 * 4 + {SHARED_RUNNERS}]
    jne omniglot_die
    mov rsi, [r9 + r10 * 8 + {SHARED_WINDOWS}]
    lea r11, [rip + omniglot_die]
    xchg r11, [rsi + {AREA_SCRATCH} + 160]   # the instruction, once
    mov r10, [rsi + {AREA_SCRATCH} + 144]
    load_interrupted {AREA_SCRATCH}
    .globl omniglot_keyed_resume_end
    .hidden omniglot_keyed_resume_end
omniglot_keyed_resume_end:

# omniglot_clear_registers(features: edi): that part of the gate alone, for measuring it.
    .balign 64
    .globl omniglot_clear_registers
    .hidden omniglot_clear_registers
    .type omniglot_clear_registers, @function
omniglot_clear_registers:
    sub rsp, 8
    fnstcw [rsp + 4]
    mov ecx, edi
    clear_registers
    add rsp, 8
    ret

# omniglot_set_rights(rights: edi), for the host. Code that jumps into it must know the cookie.
    .balign 64
    .globl omniglot_set_rights
    .hidden omniglot_set_rights
    .type omniglot_set_rights, @function
omniglot_set_rights:
    mov r10, [rip + {COOKIE}]
    mov eax, edi
    xor ecx, ecx
    xor edx, edx
    .globl omniglot_write_for_host
    .hidden omniglot_write_for_host
omniglot_write_for_host:
    wrpkru
    cmp r10, [rip + {COOKIE}]
    jne omniglot_die
    xor r10d, r10d
    ret

# omniglot_set_identity(descriptor: edi, below 4 GiB) -> eax: an error number, negated, or 0
#
# set_thread_area(2), which only the calls of 32-bit programs have. Foreign code may have left
# the descriptor's selector in FS or GS; the kernel then loads it again, and with it the base,
# which would be 0 (do_set_thread_area in arch/x86/kernel/tls.c). A signal in between finds the
# thread by its stack.
    .balign 64
    .globl omniglot_set_identity
    .hidden omniglot_set_identity
    .type omniglot_set_identity, @function
omniglot_set_identity:
    push rbx
    push r12
    push r13
    rdfsbase r12
    rdgsbase r13
    mov ebx, edi
    mov eax, 243
    int 0x80
    wrfsbase r12
    wrgsbase r13
    pop r13
    pop r12
    pop rbx
    ret

# omniglot_identity() -> eax
    .globl omniglot_identity
    .hidden omniglot_identity
    .type omniglot_identity, @function
omniglot_identity:
    mov eax, {IDENTITY}
    lsl eax, eax
    ret

# omniglot_rights() -> eax
    .globl omniglot_rights
    .hidden omniglot_rights
    .type omniglot_rights, @function
omniglot_rights:
    xor ecx, ecx
    rdpkru
    ret

# ================================================================ software fault isolation
#
# The same gate for domains whose code was verified to stay in its region: 4 GiB, of which
# `region` in the context is the start, and `%gs:`'s base while that code runs. It cannot name
# FS or GS bases, makes no system calls, and has the flags that matter as it found them
# (omniglot-verify, V2 and V4; H3 for all else). So the FS base stays the host's, and the base of
# `%gs:` stays the region's until another one is entered: writing it takes longer than all else.
#
# The page of gates in each region (sfi/page.rs) leads here. Which domain it is, the region says:
# the word at its base page, which foreign code cannot write, is its start.
    .text

# The context of the domain that runs, into r11; changes rax.
    .macro sfi_context
    mov r11, gs:[{BASE}]
    lea rax, [rip + {REGION_TABLE}]
    shr r11, 32
    mov r11, [rax + r11 * 8]
    .endm

    .balign 64
    .globl omniglot_sfi_enter
    .hidden omniglot_sfi_enter
    .type omniglot_sfi_enter, @function
omniglot_sfi_enter:
    push rbp
    push rbx
    push r12
    push r13
    push r14
    push r15
    sub rsp, 8
    mov rbx, rdi
    stmxcsr [rsp]
    mov [rbx + {HOST_STACK}], rsp
    mov ecx, [rbx + {FEATURES}]
    rdgsbase rax
    mov qword ptr [rbx + {HOST_SEGMENT}], 0
    cmp rax, [rbx + {REGION}]
    jne 6f
omniglot_sfi_based:
    test ecx, {USES_X87}
    jnz 4f
2:  test ecx, {AVX}
    jz 3f
    vzeroall
    jmp 5f
3:  clear_sse
5:  ldmxcsr [rbx + {NEXT} + {MXCSR}]
    test ecx, {KEEPS_VECTORS}
    jnz omniglot_sfi_load_vectors

# As omniglot_commit: a thread that a signal finds here starts again.
    .globl omniglot_sfi_commit
    .hidden omniglot_sfi_commit
omniglot_sfi_commit:
    mov rax, [rbx + {STOP}]
    shr rax, 1
    cmp rax, [rbx + {NUMBER}]
    je omniglot_sfi_stopped
    mov r11, [rbx + {NEXT} + {TARGET}]
    load_next rbx+{NEXT}
    xor edx, edx
    jmp r11
    .globl omniglot_sfi_commit_end
    .hidden omniglot_sfi_commit_end
omniglot_sfi_commit_end:

omniglot_sfi_load_vectors:
    test ecx, {AVX}
    jz 1f
    .irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovups ymm\number, [rbx + {VECTORS} + 32 * \number]
    .endr
    jmp omniglot_sfi_commit
1:  .irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movups xmm\number, [rbx + {VECTORS} + 32 * \number]
    .endr
    jmp omniglot_sfi_commit

omniglot_sfi_stopped:
    mov r11, rbx
    mov eax, {STOPPED}
    jmp omniglot_sfi_left

# Only where the image uses the x87 unit. Its registers are cleared, since code that may not read them
# can still ask for their signs. The status word stays, with the flags of what the host computed, as
# in a call of C: reading it takes a fifth of the call. No exception waits behind a control word that
# masks all, as in check_x87.
4:  fnstcw [rsp + 4]
    cmp word ptr [rsp + 4], 0x37f
    jne 7f
    cmp word ptr [rbx + {NEXT} + {X87}], 0x37f
    jne 7f                              # the flags would be exceptions there
    test ecx, {BELIEVES}
    jz 8f
7:  fninit                              # first of all: an exception may wait
8:  clear_multimedia_registers
    fldcw [rbx + {NEXT} + {X87}]
    jmp 2b

# Another base: none, that of a region that this thread ran before, or one that the host
# itself uses, which it finds again. In the table of regions each that there ever was has an
# entry.
6:  test eax, eax
    jnz 9f
    mov rdx, rax
    shr rdx, 32
    jz 8f
    cmp rdx, {REGIONS}
    jae 9f
    lea rsi, [rip + {REGION_TABLE}]
    cmp qword ptr [rsi + rdx * 8], 0
    jne 8f
9:  mov [rbx + {HOST_SEGMENT}], rax
8:  mov rax, [rbx + {REGION}]
    wrgsbase rax
    jmp omniglot_sfi_based

# The way out: from the page of gates, by a jump. Who asks for what a system call does keeps its
# vector registers.
    .balign 64
    .globl omniglot_sfi_asked
    .hidden omniglot_sfi_asked
omniglot_sfi_asked:
    sfi_context
    test dword ptr [r11 + {FEATURES}], {AVX}
    jz 1f
    .irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovups [r11 + {VECTORS} + 32 * \number], ymm\number
    .endr
    jmp omniglot_sfi_calls
1:  .irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movups [r11 + {VECTORS} + 32 * \number], xmm\number
    .endr
    jmp omniglot_sfi_calls

    .balign 64
    .globl omniglot_sfi_called_back
    .hidden omniglot_sfi_called_back
omniglot_sfi_called_back:
    sfi_context
omniglot_sfi_calls:
    save_left
    mov eax, {CALLED_BACK}
    jmp omniglot_sfi_left

    .balign 64
    .globl omniglot_sfi_returned
    .hidden omniglot_sfi_returned
omniglot_sfi_returned:
    sfi_context
    mov [r11 + {LEFT} + {STACK}], rsp
    mov eax, {RETURNED}

# r11: the context; eax: the event.
omniglot_sfi_left:
    mov rsp, [r11 + {HOST_STACK}]
    .globl omniglot_sfi_exit_end
    .hidden omniglot_sfi_exit_end
omniglot_sfi_exit_end:
    test dword ptr [r11 + {FEATURES}], {USES_X87} | {USES_AVX}
    jnz 4f
1:  ldmxcsr [rsp]
omniglot_sfi_back:
    cmp qword ptr [r11 + {HOST_SEGMENT}], 0
    jne 3f
2:  back
3:  mov rcx, [r11 + {HOST_SEGMENT}]
    wrgsbase rcx
    jmp 2b
4:  test dword ptr [r11 + {FEATURES}], {USES_AVX}
    jz 5f
    vzeroupper
5:  test dword ptr [r11 + {FEATURES}], {USES_X87}
    jz 1b
    fnstcw [r11 + {LEFT} + {X87}]
    check_x87 r11+{LEFT}+{X87}, 6f
    emms
    jmp 1b
6:  fninit
    fldcw [rsp + 4]
    jmp 1b

# As omniglot_abandoned: r11 is the context, and rsp the host's.
    .globl omniglot_sfi_abandoned
    .hidden omniglot_sfi_abandoned
omniglot_sfi_abandoned:
    test dword ptr [r11 + {FEATURES}], {USES_X87}
    jz 1f
    fninit
    fldcw [rsp + 4]
1:  test dword ptr [r11 + {FEATURES}], {AVX}
    jz 2f
    vzeroupper
2:  ldmxcsr [rsp]
    mov eax, {ABANDONED}
    jmp omniglot_sfi_back
    .globl omniglot_sfi_abandoned_end
    .hidden omniglot_sfi_abandoned_end
omniglot_sfi_abandoned_end:
