/* AArch64: registers of an interrupted thread. */
#include <asm/sigcontext.h>

static inline uint64_t instruction_of(const ucontext_t *context)
{
    return context->uc_mcontext.pc;
}

static inline void set_instruction(ucontext_t *context, uint64_t instruction)
{
    context->uc_mcontext.pc = instruction;
    /* What an indirect branch must find there (BTI) is no matter of this one. */
    context->uc_mcontext.pstate &= ~(3ull << 10);
}

static inline uint64_t stack_of(const ucontext_t *context)
{
    return context->uc_mcontext.sp;
}

/* Where the function returns to that has not stored it yet. */
static inline uint64_t link_of(const ucontext_t *context)
{
    return context->uc_mcontext.regs[30];
}

/* An argument of a system call, from 0 to 5. */
static inline long argument_of(const ucontext_t *context, unsigned index)
{
    return (long)context->uc_mcontext.regs[index];
}

static inline void set_result(ucontext_t *context, long result)
{
    context->uc_mcontext.regs[0] = (uint64_t)result;
}

/* The length of an instruction that reads the processor's clock; else 0. `mrs` of CNTFRQ_EL0,
 * CNTPCT_EL0, CNTVCT_EL0, CNTPCTSS_EL0 and CNTVCTSS_EL0: Arm Architecture Reference Manual,
 * section D24.12. */
static inline int length_of_clock_read(const uint8_t *code)
{
    uint32_t word = code[0] | (uint32_t)code[1] << 8 | (uint32_t)code[2] << 16 | (uint32_t)code[3] << 24;
    switch (word & ~31u) {
    case 0xd53be000:
    case 0xd53be020:
    case 0xd53be040:
    case 0xd53be0a0:
    case 0xd53be0c0:
        return 4;
    default:
        return 0;
    }
}

/* Continues after it. The frequency is that of the clock whose reads are answered, 1 GHz. */
static inline void give_cycles(ucontext_t *context, uint64_t cycles, int length)
{
    uint32_t word = *(const uint32_t *)context->uc_mcontext.pc;
    unsigned target = word & 31;
    int is_frequency = (word & ~31u) == 0xd53be000;
    if (target < 31)
        context->uc_mcontext.regs[target] = is_frequency ? 1000000000 : cycles;
    context->uc_mcontext.pc += (unsigned)length;
}

/* The arguments of clone(2): their order differs. */
struct clone_registers {
    uint64_t flags, stack, parent, child, pointer;
};

static inline struct clone_registers clone_registers(const ucontext_t *context)
{
    const unsigned long long *registers = context->uc_mcontext.regs;
    return (struct clone_registers){registers[0], registers[1], registers[2], registers[4], registers[3]};
}

/* The control register of floating-point arithmetic: the records behind the general registers
 * start with a number and their size each (asm/sigcontext.h). */
static inline uint64_t control_of(const ucontext_t *context)
{
    const unsigned char *record = context->uc_mcontext.__reserved;
    const unsigned char *end = record + sizeof context->uc_mcontext.__reserved;
    while (record + sizeof(struct fpsimd_context) <= end) {
        const struct _aarch64_ctx *head = (const struct _aarch64_ctx *)record;
        if (head->magic == FPSIMD_MAGIC)
            return ((const struct fpsimd_context *)head)->fpcr;
        if (!head->magic || head->size < sizeof *head)
            break;
        record += head->size;
    }
    return 0;
}

/* What a new thread starts with: the registers of who made it, and a stack of its own. */
static inline void copy_registers(struct thread_registers *into, const ucontext_t *context, uint64_t stack)
{
    into->general[0] = context->uc_mcontext.pc;
    into->general[1] = stack;
    for (unsigned i = 0; i < 31; i++)
        into->general[2 + i] = context->uc_mcontext.regs[i];
    into->fpcr = control_of(context);
}

/* Goes on at leave_thread of the assembly file. */
static inline void leave_by(ucontext_t *context, uint64_t leave, uint64_t thread, uint64_t clear)
{
    context->uc_mcontext.regs[19] = thread;
    context->uc_mcontext.regs[0] = clear;
    set_instruction(context, leave);
}
