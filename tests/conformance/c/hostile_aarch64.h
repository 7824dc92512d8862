/* What the attacks need to know of AArch64: in the place of instructions that it does not have there
 * are others that programs may not execute. */

/* Instructions. */

static uintptr_t non_canonical(void)
{
    uintptr_t address = 0x0080000000000000u;
    OPAQUE(address);
    return address;
}

static void misaligned_exclusive(void)
{
    uint64_t words[2] = {0, 0}, word;
    __asm__ volatile("ldxr %0, [%1]" : "=r"(word) : "r"((char *)words + 1) : "memory");
}

void execute(Instruction instruction)
{
    switch (instruction) {
    case DIVIDE_BY_ZERO:
    case UNDEFINED:
        __asm__ volatile("udf #0");
        break;
    case BREAKPOINT:
    case TRAP_FLAG:
        __asm__ volatile("brk #0");
        break;
    case DEBUG_TRAP:
        __asm__ volatile("dcps1 #0");
        break;
    case HALT:
        __asm__ volatile("hlt #0");
        break;
    case DISABLE_INTERRUPTS:
        __asm__ volatile("msr daifset, #2");
        break;
    case READ_PORT:
        __asm__ volatile("mrs x9, sctlr_el1" : : : "x9");
        break;
    case WRITE_CONTROL_REGISTER:
        __asm__ volatile("msr sctlr_el1, x9");
        break;
    case NON_CANONICAL:
        (void)*(volatile uint64_t *)non_canonical();
        break;
    case ALIGNMENT_CHECK:
        misaligned_exclusive();
        break;
    case INTERRUPT_80:
        __asm__ volatile("hvc #0" : : : "memory");
        break;
    case SYSENTER:
        __asm__ volatile("smc #0" : : : "memory");
        break;
    case VSYSCALL:
        break;
    }
}

void upset_registers(void)
{
    uint64_t control = 3u << 22 | 0x9f00; /* round towards zero, all exceptions unmasked */
    __asm__ volatile("msr fpcr, %0" : : "r"(control));
}

void hide_in_registers(uint64_t secret)
{
    __asm__ volatile("fmov d29, %0\n fmov d30, %0\n fmov d31, %0" : : "r"(secret));
}

uint64_t find_in_registers(void)
{
    uint64_t found[3];
    __asm__ volatile("fmov %0, d29\n fmov %1, d30\n fmov %2, d31" : "=r"(found[0]), "=r"(found[1]), "=r"(found[2]));
    return found[0] | found[1] | found[2];
}

/* As libc's own. */
static long vfork_by_number(void)
{
    return system6(__NR_clone, 0x4000 | 0x100 | SIGCHLD /* CLONE_VFORK | CLONE_VM */, 0, 0, 0, 0, 0);
}
