/* What the sample library does by instructions of x86-64. */

static void shim_illegal(void *f)
{
    (void)f;
    __asm__ volatile("ud2");
}

static void shim_trap(void *f)
{
    (void)f;
    __asm__ volatile("int3");
}

/* Leaves the processor as no function may: a is a set of what to change. */
static void shim_disturb(void *f)
{
    uint64_t what = ((struct frame *)f)->a;
    if (what & 1) {
        uint32_t mxcsr = 0x7f80; /* rounds towards zero */
        __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
    }
    if (what & 2) {
        uint16_t control = 0xf7f; /* rounds towards zero */
        __asm__ volatile("fldcw %0" : : "m"(control));
    }
    if (what & 4)
        __asm__ volatile("fld1; fld1; fld1; fld1; fld1; fld1; fld1; fld1");
    if (what & 8)
        __asm__ volatile("wrgsbase %0" : : "r"(0x1234ul));
    if (what & 16)
        __asm__ volatile("pushfq; orl $0x40000, (%%rsp); popfq" : : : "memory", "cc");
    if (what & 32)
        __asm__ volatile("std");
    if (what & 64)
        __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; nop" : : : "memory", "cc");
}

static volatile uint64_t *victim;

static void shim_victim(void *f)
{
    victim = (volatile uint64_t *)((struct frame *)f)->a;
}

/* Where an attack wants to come out, with more rights than it had. */
__attribute__((noreturn, used)) static void landed(void)
{
    *victim = 0x7777777777777777;
    for (;;)
        __asm__ volatile("ud2");
}

static uint64_t fake[512];

/* Jumps to a with eax b, ecx and edx 0, and all other registers pointing to memory full of
 * addresses of the code above. */
static void shim_jump_to(void *f)
{
    struct frame *frame = f;
    for (int i = 0; i < 512; i++)
        fake[i] = (uint64_t)landed;
    __asm__ volatile("mov %2, %%rbx\n"
                     "mov %%rbx, %%rbp\n mov %%rbx, %%rsi\n mov %%rbx, %%r8\n mov %%rbx, %%r9\n"
                     "mov %%rbx, %%r12\n mov %%rbx, %%r13\n mov %%rbx, %%r14\n mov %%rbx, %%r15\n"
                     "mov %3, %%r10\n mov %3, %%r11\n"
                     "lea -2048(%%rsp), %%rsp\n"
                     "push %%rdi\n"
                     "mov %%rbx, %%rdi\n"
                     "ret\n"
                     :
                     : "D"(frame->a), "a"(frame->b), "S"(fake + 256), "r"(frame->b >> 32), "c"(0), "d"(0)
                     : "memory");
    __builtin_unreachable();
}

static void shim_thread_pointer(void *f)
{
    uint64_t pointer;
    __asm__ volatile("mov %%fs:0, %0" : "=r"(pointer));
    ((struct frame *)f)->result = pointer;
}

/* The same, by code that looks as if it had nothing to do with FS: it returns to another
 * place than it came from. The FS base itself, or what it points to. */
__attribute__((visibility("hidden"))) uint64_t base_in_disguise(void);
__attribute__((visibility("hidden"))) uint64_t pointer_in_disguise(void);
__asm__(".text\n"
        ".macro disguised\n"
        "    mov (%rsp), %rdx\n"
        "    lea 1f(%rip), %rcx\n"
        "    mov %rsp, %rax\n"
        "    mov %rcx, (%rax)\n"
        "    ret\n"
        "1:\n"
        ".endm\n"
        "base_in_disguise:\n"
        "    disguised\n"
        "    rdfsbase %rax\n"
        "    jmp *%rdx\n"
        "pointer_in_disguise:\n"
        "    disguised\n"
        "    mov %fs:0, %rax\n"
        "    jmp *%rdx\n");

static void shim_base_in_disguise(void *f)
{
    ((struct frame *)f)->result = base_in_disguise();
}

static void shim_pointer_in_disguise(void *f)
{
    ((struct frame *)f)->result = pointer_in_disguise();
}

/* The processor's clock, by either instruction. */
static void shim_cycles(void *f)
{
    unsigned processor;
    struct frame *frame = f;
    frame->result = frame->a ? __builtin_ia32_rdtscp(&processor) : __builtin_ia32_rdtsc();
}

static uint64_t in_control_block(size_t offset)
{
    uint64_t word;
    __asm__ volatile("mov %%fs:(%1), %0" : "=r"(word) : "r"(offset));
    return word;
}

static uint64_t canary(void)
{
    return in_control_block(0x28);
}

static uint64_t pointer_guard(void)
{
    return in_control_block(0x30);
}
