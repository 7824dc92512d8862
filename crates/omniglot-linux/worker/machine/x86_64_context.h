/* x86-64: registers of an interrupted thread. */

static inline uint64_t instruction_of(const ucontext_t *context)
{
    return (uint64_t)context->uc_mcontext.gregs[REG_RIP];
}

static inline void set_instruction(ucontext_t *context, uint64_t instruction)
{
    context->uc_mcontext.gregs[REG_RIP] = (greg_t)instruction;
}

static inline uint64_t stack_of(const ucontext_t *context)
{
    return (uint64_t)context->uc_mcontext.gregs[REG_RSP];
}

/* Where the function returns to that has not stored it yet; the call stored it. */
static inline uint64_t link_of(const ucontext_t *context)
{
    (void)context;
    return 0;
}

/* An argument of a system call, from 0 to 5. */
static inline long argument_of(const ucontext_t *context, unsigned index)
{
    static const int order[] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};
    return (long)context->uc_mcontext.gregs[order[index]];
}

static inline void set_result(ucontext_t *context, long result)
{
    context->uc_mcontext.gregs[REG_RAX] = result;
}

/* The length of an instruction that reads the processor's clock; else 0. */
static inline int length_of_clock_read(const uint8_t *code)
{
    if (code[0] == 0x0f && code[1] == 0x31)
        return 2; /* rdtsc */
    return code[0] == 0x0f && code[1] == 0x01 && code[2] == 0xf9 ? 3 /* rdtscp */ : 0;
}

/* Continues after it. */
static inline void give_cycles(ucontext_t *context, uint64_t cycles, int length)
{
    greg_t *registers = context->uc_mcontext.gregs;
    registers[REG_RAX] = (greg_t)(cycles & 0xffffffff);
    registers[REG_RDX] = (greg_t)(cycles >> 32);
    if (length == 3)
        registers[REG_RCX] = 0;
    registers[REG_RIP] += length;
}

/* The arguments of clone(2): their order differs. */
struct clone_registers {
    uint64_t flags, stack, parent, child, pointer;
};

static inline struct clone_registers clone_registers(const ucontext_t *context)
{
    const greg_t *registers = context->uc_mcontext.gregs;
    return (struct clone_registers){(uint64_t)registers[REG_RDI], (uint64_t)registers[REG_RSI], (uint64_t)registers[REG_RDX],
                                    (uint64_t)registers[REG_R10], (uint64_t)registers[REG_R8]};
}

/* What a new thread starts with: the registers of who made it, and a stack of its own. */
static inline void copy_registers(struct thread_registers *into, const ucontext_t *context, uint64_t stack)
{
    static const int order[] = {REG_RIP, REG_RSP, REG_RBP, REG_RBX, REG_RDI, REG_RSI, REG_RDX,
                                REG_R8,  REG_R9,  REG_R10, REG_R12, REG_R13, REG_R14, REG_R15};
    for (unsigned i = 0; i < sizeof order / sizeof *order; i++)
        into->general[i] = (uint64_t)context->uc_mcontext.gregs[order[i]];
    into->general[1] = stack;
    into->mxcsr = context->uc_mcontext.fpregs->mxcsr;
    into->x87 = context->uc_mcontext.fpregs->cwd;
}

/* Goes on at leave_thread of the assembly file. */
static inline void leave_by(ucontext_t *context, uint64_t leave, uint64_t thread, uint64_t clear)
{
    greg_t *registers = context->uc_mcontext.gregs;
    registers[REG_RBX] = (greg_t)thread;
    registers[REG_RDI] = (greg_t)clear;
    registers[REG_RIP] = (greg_t)leave;
}
