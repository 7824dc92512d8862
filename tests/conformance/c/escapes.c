#define _GNU_SOURCE
#include "escapes.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

/* What the verifier refuses wherever it is: a sandboxed image does without. */
#ifdef OMNIGLOT_SANDBOXED
#define REFUSED(text) ""
#define REFUSED_OR(text, instead) instead
#define REFUSED_STATEMENT(...) __asm__ volatile("ud2")
#define pkey_set(key, rights) (void)key
#else
#define REFUSED(text) text
#define REFUSED_OR(text, instead) text
#define REFUSED_STATEMENT(...) __asm__ volatile(__VA_ARGS__)
#endif

int32_t sound(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

int32_t call_host(HostCallback callback, int32_t value)
{
    return callback(value);
}

double third(double of)
{
    return of / 3;
}

uint64_t peek(uintptr_t address)
{
    return *(volatile uint64_t *)address;
}

void poke(uintptr_t address, uint64_t value)
{
    *(volatile uint64_t *)address = value;
}

/* Jumps. */

#define SLIDE_WORDS 512

/* Return addresses: a return anywhere in this page leads to LANDING. */
__attribute__((aligned(4096))) static uintptr_t slide[SLIDE_WORDS];

/* These bytes are harmless as data. */
static const uint8_t constant_gadget[] = {0x31, 0xc0, 0x31, 0xc9, 0x31, 0xd2, 0x0f, 0x01, 0xef, 0xc3};
static uint8_t variable_gadget[] = {0x31, 0xc0, 0x31, 0xc9, 0x31, 0xd2, 0x0f, 0x01, 0xef, 0xc3};

uint64_t leap_stack, leap_address;

int32_t leap_with(uintptr_t address, const Registers *registers);
void landing(void);
void stub_undefined(void);
void stub_breakpoint(void);
void stub_division(void);
void stub_system_call(void);
void stub_interrupt_80(void);
void stub_sysenter(void);
void stub_spin(void);
void stub_push(void);
void set_flags(uint64_t flags);
void upset_float_stack(void);
void upset_float_pending(void);

__asm__(".text\n"
        ".hidden leap_stack, leap_address\n"
        ".hidden leap_with, landing\n"
        "leap_with:\n"
        "    push %rbx\n"
        "    push %rbp\n"
        "    push %r12\n"
        "    push %r13\n"
        "    push %r14\n"
        "    push %r15\n"
        REFUSED("    pushfq\n")
        "    mov %rsp, leap_stack(%rip)\n"
        "    mov %rdi, leap_address(%rip)\n"
        "    mov 0(%rsi), %rax\n"
        "    mov 8(%rsi), %rbx\n"
        "    mov 16(%rsi), %rcx\n"
        "    mov 24(%rsi), %rdx\n"
        "    mov 40(%rsi), %rdi\n"
        "    mov 48(%rsi), %rbp\n"
        "    mov 64(%rsi), %r8\n"
        "    mov 72(%rsi), %r9\n"
        "    mov 80(%rsi), %r10\n"
        "    mov 88(%rsi), %r11\n"
        "    mov 96(%rsi), %r12\n"
        "    mov 104(%rsi), %r13\n"
        "    mov 112(%rsi), %r14\n"
        "    mov 120(%rsi), %r15\n"
        REFUSED("    push 128(%rsi)\n"
                "    popfq\n")
        "    mov 56(%rsi), %rsp\n"
        "    mov 32(%rsi), %rsi\n"
        "    jmp *leap_address(%rip)\n"
        "landing:\n"
        "    mov leap_stack(%rip), %rsp\n"
        REFUSED("    popfq\n")
        "    pop %r15\n"
        "    pop %r14\n"
        "    pop %r13\n"
        "    pop %r12\n"
        "    pop %rbp\n"
        "    pop %rbx\n"
        "    mov $1, %eax\n"
        "    ret\n"
        ".hidden stub_undefined, stub_breakpoint, stub_division, stub_system_call\n"
        ".hidden stub_interrupt_80, stub_sysenter, stub_spin, stub_push\n"
        "stub_undefined:\n"
        "    ud2\n"
        "stub_breakpoint:\n"
        "    int3\n"
        "    ud2\n"
        "stub_division:\n"
        "    xor %ecx, %ecx\n"
        "    div %ecx\n"
        "    ud2\n"
        "stub_system_call:\n"
        "    syscall\n"
        "    ud2\n"
        "stub_interrupt_80:\n"
        REFUSED("    int $0x80\n")
        "    ud2\n"
        "stub_sysenter:\n"
        REFUSED("    sysenter\n")
        "    ud2\n"
        "stub_spin:\n"
        "    pause\n"
        "    jmp stub_spin\n"
        "stub_push:\n"
        "    push %rax\n"
        "    ud2\n");

uintptr_t place_of(Place place)
{
    switch (place) {
    case LANDING:
        return (uintptr_t)landing;
    case UNDEFINED:
        return (uintptr_t)stub_undefined;
    case BREAKPOINT:
        return (uintptr_t)stub_breakpoint;
    case DIVISION:
        return (uintptr_t)stub_division;
    case SYSTEM_CALL:
        return (uintptr_t)stub_system_call;
    case INTERRUPT_80:
        return (uintptr_t)stub_interrupt_80;
    case SYSENTER:
        return (uintptr_t)stub_sysenter;
    case SPIN:
        return (uintptr_t)stub_spin;
    case PUSH:
        return (uintptr_t)stub_push;
    case SLIDE:
        for (size_t i = 0; i < SLIDE_WORDS; i++)
            slide[i] = (uintptr_t)landing;
        return (uintptr_t)&slide[SLIDE_WORDS / 2];
    case CONSTANT:
        return (uintptr_t)constant_gadget;
    case VARIABLE:
        return (uintptr_t)variable_gadget;
    }
    return 0;
}

int32_t leap(uintptr_t address, const Registers *registers, uintptr_t target)
{
    int32_t landed = leap_with(address, registers);
    if (target)
        poke(target, 0x0bad0bad0bad0bad);
    return landed;
}

int32_t leap_with_words(uintptr_t address, const Registers *registers, uintptr_t area,
                        const uint64_t *words, size_t count, uintptr_t target)
{
    for (size_t i = 0; i < count; i++)
        poke(area + 8 * i, words[i]);
    return leap(address, registers, target);
}

/* The rest of struct rt_sigframe, which the kernel expects at the stack pointer. */
int32_t forge_signal_return(uintptr_t target)
{
    static ucontext_t context;
    static uint8_t registers[1024] __attribute__((aligned(64)));
    uint32_t vector_control = 0x1f80;

    memset(&context, 0, sizeof context);
    memset(registers, 0, sizeof registers);
    memcpy(registers + 24, &vector_control, sizeof vector_control);
    context.uc_mcontext.gregs[REG_RIP] = (greg_t)landing;
    context.uc_mcontext.gregs[REG_RSP] = (greg_t)&slide[SLIDE_WORDS / 2];
    context.uc_mcontext.gregs[REG_EFL] = 0x202;
    context.uc_mcontext.gregs[REG_CSGSFS] = 0x33 | (greg_t)0x2b << 48;
    context.uc_mcontext.fpregs = (fpregset_t)registers;

    Registers leaping = {.rax = 15 /* rt_sigreturn */, .rsp = (uint64_t)&context, .flags = 0x202};
    return leap((uintptr_t)stub_system_call, &leaping, target);
}

void open_keys(uintptr_t target)
{
    for (int key = 0; key < 16; key++)
        pkey_set(key, 0);
    poke(target, 0x0bad0bad0bad0bad);
}

/* Registers. */

__asm__(".hidden set_flags, upset_float_stack, upset_float_pending\n"
        "set_flags:\n"
        REFUSED_OR("    pushfq\n"
                   "    or %rdi, (%rsp)\n"
                   "    popfq\n",
                   "    ud2\n")
        "    ret\n"
        "upset_float_stack:\n"
        "    fninit\n"
        "    .rept 8\n"
        "    fld1\n"
        "    .endr\n"
        "    ret\n"
        /* Divides one by zero, with that exception unmasked. */
        "upset_float_pending:\n"
        "    fninit\n"
        "    movl $0x37b, -8(%rsp)\n"
        "    fldcw -8(%rsp)\n"
        "    fld1\n"
        "    fldz\n"
        "    fdivrp\n"
        "    ret\n");

static void change(Upset what, uint64_t value)
{
    uint32_t vector_control = (uint32_t)value;
    uint16_t float_control = (uint16_t)value, selector = (uint16_t)value;

    switch (what) {
    case NOTHING:
        break;
    case FLAGS:
        set_flags(value);
        break;
    case VECTOR_CONTROL:
        __asm__ volatile("ldmxcsr %0" : : "m"(vector_control));
        break;
    case FLOAT_CONTROL:
        __asm__ volatile("fldcw %0" : : "m"(float_control));
        break;
    case FLOAT_STACK:
        upset_float_stack();
        break;
    case FLOAT_PENDING:
        upset_float_pending();
        break;
    case MULTIMEDIA:
        REFUSED_STATEMENT("movq %0, %%mm3" : : "r"(value));
        break;
    case FS_BASE:
        REFUSED_STATEMENT("wrfsbase %0" : : "r"(value));
        break;
    case GS_BASE:
        REFUSED_STATEMENT("wrgsbase %0" : : "r"(value));
        break;
    case FS_SELECTOR:
        REFUSED_STATEMENT("mov %w0, %%fs" : : "r"(selector));
        break;
    case GS_SELECTOR:
        REFUSED_STATEMENT("mov %w0, %%gs" : : "r"(selector));
        break;
    case DATA_SELECTORS:
        REFUSED_STATEMENT("mov %w0, %%ds\n\tmov %w0, %%es" : : "r"(selector));
        break;
    }
}

int32_t upset(Upset what, uint64_t value, Then then, HostCallback callback)
{
    change(what, value);
    switch (then) {
    case RETURN:
        break;
    case CALL_BACK:
        return callback(7);
    case FAULT:
        stub_undefined();
        break;
    case DENIED_CALL:
        stub_system_call();
        break;
    case WAIT:
        stub_spin();
        break;
    }
    return 7;
}

uint32_t own_rights(void)
{
    uint32_t rights = 0, zero;
    REFUSED_STATEMENT("rdpkru" : "=a"(rights), "=d"(zero) : "c"(0));
    return rights;
}

#define PATTERNS 16
#define RED_ZONE 16
#define ALL_FLAGS 0x8d5 /* carry, parity, adjust, zero, sign, overflow */

struct held {
    uint64_t general[PATTERNS];
    uint64_t red_zone[RED_ZONE];
    uint64_t flags;
    uint64_t vector_control;
    uint64_t float_control;
    uint8_t floats[3][16];
    uint8_t vectors[16][32] __attribute__((aligned(32)));
};
_Static_assert(offsetof(struct held, red_zone) == 128, "the layout that the assembly uses");
_Static_assert(offsetof(struct held, flags) == 256, "the layout that the assembly uses");
_Static_assert(offsetof(struct held, floats) == 280, "the layout that the assembly uses");
_Static_assert(offsetof(struct held, vectors) == 352, "the layout that the assembly uses");

struct held held_before, held_after;
void hold_registers(uint64_t rounds, bool wide);

/* All registers except rcx, which counts, and rsp. The loop does not change the flags. */
__asm__(".hidden held_before, held_after, hold_registers\n"
        "hold_registers:\n"
        "    push %rbx\n"
        "    push %rbp\n"
        "    push %r12\n"
        "    push %r13\n"
        "    push %r14\n"
        "    push %r15\n"
        "    mov %rdi, %rcx\n"
        "    movzbl %sil, %esi\n"
        "    fninit\n"
        "    fldpi\n"
        "    fldl2e\n"
        "    fldlg2\n"
        "    lea held_before(%rip), %rax\n"
        "    test %esi, %esi\n"
        "    jz 1f\n"
        "    .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "    vmovups 352 + 32 * \\n(%rax), %ymm\\n\n"
        "    .endr\n"
        "    jmp 2f\n"
        "1:\n"
        "    .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "    movups 352 + 32 * \\n(%rax), %xmm\\n\n"
        "    .endr\n"
        "2:\n"
        "    .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "    mov 128 + 8 * \\n(%rax), %rbx\n"
        "    mov %rbx, -128 + 8 * \\n(%rsp)\n"
        "    .endr\n"
        "    mov %rsi, held_wide(%rip)\n"
        "    mov 8(%rax), %rbx\n"
        "    mov 24(%rax), %rdx\n"
        "    mov 32(%rax), %rsi\n"
        "    mov 40(%rax), %rdi\n"
        "    mov 48(%rax), %rbp\n"
        "    mov 64(%rax), %r8\n"
        "    mov 72(%rax), %r9\n"
        "    mov 80(%rax), %r10\n"
        "    mov 88(%rax), %r11\n"
        "    mov 96(%rax), %r12\n"
        "    mov 104(%rax), %r13\n"
        "    mov 112(%rax), %r14\n"
        "    mov 120(%rax), %r15\n"
        "    mov 0(%rax), %rax\n"
        "    lea -256(%rsp), %rsp\n" /* flags are set through the stack, below the red zone */
        REFUSED("    push held_before + 256(%rip)\n"
                "    popfq\n")
        "    lea 256(%rsp), %rsp\n"
        "3:  lea -1(%rcx), %rcx\n"
        "    jrcxz 4f\n"
        "    jmp 3b\n"
        "4:  lea -256(%rsp), %rsp\n"
        REFUSED("    pushfq\n"
                "    pop held_after + 256(%rip)\n")
        "    lea 256(%rsp), %rsp\n"
        "    mov %rax, held_after(%rip)\n"
        "    lea held_after(%rip), %rax\n"
        "    mov %rbx, 8(%rax)\n"
        "    mov %rdx, 24(%rax)\n"
        "    mov %rsi, 32(%rax)\n"
        "    mov %rdi, 40(%rax)\n"
        "    mov %rbp, 48(%rax)\n"
        "    mov %r8, 64(%rax)\n"
        "    mov %r9, 72(%rax)\n"
        "    mov %r10, 80(%rax)\n"
        "    mov %r11, 88(%rax)\n"
        "    mov %r12, 96(%rax)\n"
        "    mov %r13, 104(%rax)\n"
        "    mov %r14, 112(%rax)\n"
        "    mov %r15, 120(%rax)\n"
        "    .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "    mov -128 + 8 * \\n(%rsp), %rbx\n"
        "    mov %rbx, 128 + 8 * \\n(%rax)\n"
        "    .endr\n"
        "    stmxcsr 264(%rax)\n"
        "    fnstcw 272(%rax)\n"
        "    fstpt 280(%rax)\n"
        "    fstpt 296(%rax)\n"
        "    fstpt 312(%rax)\n"
        "    cmpq $0, held_wide(%rip)\n"
        "    je 5f\n"
        "    .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "    vmovups %ymm\\n, 352 + 32 * \\n(%rax)\n"
        "    .endr\n"
        "    vzeroupper\n"
        "    jmp 6f\n"
        "5:\n"
        "    .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "    movups %xmm\\n, 352 + 32 * \\n(%rax)\n"
        "    .endr\n"
        "6:  cld\n"
        "    pop %r15\n"
        "    pop %r14\n"
        "    pop %r13\n"
        "    pop %r12\n"
        "    pop %rbp\n"
        "    pop %rbx\n"
        "    ret\n"
        ".local held_wide\n"
        ".comm held_wide, 8, 8\n");

static uint64_t pattern(size_t which)
{
    return 0x0123456789abcd00u + which * 0x0101010101010101u;
}

static void prepare_held(bool wide)
{
    memset(&held_before, 0, sizeof held_before);
    memset(&held_after, 0, sizeof held_after);
    for (size_t i = 0; i < PATTERNS; i++)
        held_before.general[i] = pattern(i);
    for (size_t i = 0; i < RED_ZONE; i++)
        held_before.red_zone[i] = pattern(i + 20);
#ifndef OMNIGLOT_SANDBOXED
    held_before.flags = ALL_FLAGS | 0x202;
#endif
    for (size_t i = 0; i < 16; i++) {
        uint64_t words[4] = {pattern(40 + i), pattern(60 + i), pattern(80 + i), pattern(100 + i)};
        memcpy(held_before.vectors[i], words, wide ? 32 : 16);
    }
    uint32_t vector_control;
    uint16_t float_control;
    __asm__ volatile("stmxcsr %0" : "=m"(vector_control));
    __asm__ volatile("fninit\n\tfnstcw %0" : "=m"(float_control));
    held_before.vector_control = vector_control;
    held_before.float_control = float_control;
    __asm__ volatile("fldlg2\n\tfstpt %0" : "=m"(held_before.floats[0]));
    __asm__ volatile("fldl2e\n\tfstpt %0" : "=m"(held_before.floats[1]));
    __asm__ volatile("fldpi\n\tfstpt %0" : "=m"(held_before.floats[2]));
    /* rcx counts, and rsp must not change */
    held_before.general[2] = held_before.general[7] = 0;
}

int32_t hold(uint64_t rounds, bool wide)
{
    prepare_held(wide);
    hold_registers(rounds, wide);
    const uint8_t *before = (const uint8_t *)&held_before, *after = (const uint8_t *)&held_after;
    int32_t changed = 0;
    for (size_t i = 0; i < sizeof held_before; i += 8)
        changed += memcmp(before + i, after + i, 8) != 0;
    return changed;
}

/* Where no instruction stores all of them: the numbers on the x87 stack, and the vector registers. */
#define STORE_EACH                                                                                 \
    "    .irp n,0,1,2,3,4,5,6,7\n"                                                                 \
    "    fstpt 32 + 16 * \\n(%rdi)\n"                                                              \
    "    .endr\n"                                                                                  \
    "    .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"                                           \
    "    movups %xmm\\n, 160 + 16 * \\n(%rdi)\n"                                                   \
    "    .endr\n"

__asm__(".globl snoop\n"
        ".type snoop, @function\n"
        "snoop:\n"
        REFUSED_OR("    fxsave64 (%rdi)\n", STORE_EACH)
        "    mov %rax, 512(%rdi)\n"
        "    mov %rbx, 520(%rdi)\n"
        "    mov %rcx, 528(%rdi)\n"
        "    mov %rdx, 536(%rdi)\n"
        "    mov %rbp, 544(%rdi)\n"
        "    mov %r8, 552(%rdi)\n"
        "    mov %r9, 560(%rdi)\n"
        "    mov %r10, 568(%rdi)\n"
        "    mov %r11, 576(%rdi)\n"
        "    mov %r12, 584(%rdi)\n"
        "    mov %r13, 592(%rdi)\n"
        "    mov %r14, 600(%rdi)\n"
        "    mov %r15, 608(%rdi)\n"
        "    test %sil, %sil\n"
        "    jz 1f\n"
        "    .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "    vextractf128 $1, %ymm\\n, 640 + 16 * \\n(%rdi)\n"
        "    .endr\n"
        "1:  ret\n"
        ".size snoop, . - snoop\n");

/* Signals. */

uint64_t wait_for(const uint32_t *flag, uint64_t rounds)
{
    uint64_t round = 0;
    while (round < rounds && !*(volatile const uint32_t *)flag)
        round++;
    return round;
}

int64_t ask_time(void)
{
    int64_t result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(201), "D"(0) : "rcx", "r11", "memory");
    return result;
}

int64_t wait_and_fork(uint64_t rounds)
{
    static const uint32_t never;
    int64_t result;
    wait_for(&never, rounds);
    __asm__ volatile("syscall" : "=a"(result) : "a"(57) : "rcx", "r11", "memory");
    return result;
}
