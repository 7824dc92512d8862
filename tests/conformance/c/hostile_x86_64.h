/* What the attacks need to know of x86-64. */

/* Instructions. */

/* Those that the verifier refuses wherever they are: a sandboxed image has one there that faults. */
#ifdef OMNIGLOT_SANDBOXED
#define REFUSED(...) __asm__ volatile("ud2")
#else
#define REFUSED(...) __asm__ volatile(__VA_ARGS__)
#endif

static void trap_flag(void)
{
    REFUSED("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\tnop" : : : "memory", "cc");
}

static void misaligned_with_alignment_check(void)
{
    uint64_t words[2] = {0, 0};
    OPAQUE(words[0]);
    REFUSED("pushfq\n\torl $0x40000, (%%rsp)\n\tpopfq\n\tmov 1(%0), %%rax" : : "r"(words) : "rax", "memory", "cc");
}

static void divide(void)
{
    int32_t zero = 0;
    OPAQUE(zero);
    __asm__ volatile("mov $1, %%eax\n\txor %%edx, %%edx\n\tidivl %0" : : "r"(zero) : "rax", "rdx", "cc");
}

static void vsyscall(void)
{
    uintptr_t entry = 0xffffffffff600400u; /* time(2) in the vsyscall page */
    OPAQUE(entry);
    ((long (*)(long *))entry)(NULL);
}

static uintptr_t non_canonical(void)
{
    uintptr_t address = 0x8000000000000000u;
    OPAQUE(address);
    return address;
}

void execute(Instruction instruction)
{
    switch (instruction) {
    case DIVIDE_BY_ZERO:
        divide();
        break;
    case UNDEFINED:
        __asm__ volatile("ud2");
        break;
    case BREAKPOINT:
        __asm__ volatile("int3");
        break;
    case DEBUG_TRAP:
        REFUSED(".byte 0xf1");
        break;
    case HALT:
        __asm__ volatile("hlt");
        break;
    case DISABLE_INTERRUPTS:
        REFUSED("cli");
        break;
    case READ_PORT:
        REFUSED("inb $0x60, %%al" : : : "rax");
        break;
    case WRITE_CONTROL_REGISTER:
        REFUSED("mov %%rax, %%cr4" : : : "memory");
        break;
    case NON_CANONICAL:
        (void)*(volatile uint64_t *)non_canonical();
        break;
    case TRAP_FLAG:
        trap_flag();
        break;
    case ALIGNMENT_CHECK:
        misaligned_with_alignment_check();
        break;
    case INTERRUPT_80:
        /* getpid of 32-bit programs; number 4 would be write */
        REFUSED("int $0x80" : : "a"(20) : "memory");
        break;
    case SYSENTER:
        REFUSED("mov %%rsp, %%rbp\n\tsysenter" : : "a"(20) : "memory");
        break;
    case VSYSCALL:
        vsyscall();
        break;
    }
}

#ifdef OMNIGLOT_SANDBOXED
#define DIRECTION "" /* the verifier refuses it */
#else
#define DIRECTION "std"
#endif

void upset_registers(void)
{
    uint32_t vector_control = 0x6000; /* round towards zero, all exceptions unmasked */
    uint16_t float_control = 0x0c00;  /* the same for the x87 unit */
    __asm__ volatile("ldmxcsr %0\n\t"
                     "fldcw %1\n\t"
                     "fld1\n\tfld1\n\tfld1\n\tfld1\n\tfld1\n\tfld1\n\tfld1\n\tfld1\n\t" DIRECTION
                     :
                     : "m"(vector_control), "m"(float_control));
}

void hide_in_registers(uint64_t secret)
{
    __asm__ volatile("movq %0, %%xmm13\n movq %0, %%xmm14\n movq %0, %%xmm15" : : "r"(secret));
}

uint64_t find_in_registers(void)
{
    uint64_t found[3];
    __asm__ volatile("movq %%xmm13, %0\n movq %%xmm14, %1\n movq %%xmm15, %2"
                     : "=r"(found[0]), "=r"(found[1]), "=r"(found[2]));
    return found[0] | found[1] | found[2];
}

static long vfork_by_number(void)
{
    return system6(__NR_vfork, 0, 0, 0, 0, 0, 0);
}
