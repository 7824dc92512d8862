/* What the sample library does by instructions of AArch64. The tests of runtimes in the host's process,
 * which only x86-64 has, use more: what is absent here faults. */

static void shim_absent(void *f)
{
    (void)f;
    __asm__ volatile("udf #0");
}

#define shim_illegal shim_absent
#define shim_disturb shim_absent
#define shim_victim shim_absent
#define shim_jump_to shim_absent
#define shim_thread_pointer shim_absent
#define shim_base_in_disguise shim_absent
#define shim_pointer_in_disguise shim_absent

static void shim_trap(void *f)
{
    (void)f;
    __asm__ volatile("brk #0");
}

/* The processor's clock. */
static void shim_cycles(void *f)
{
    uint64_t count;
    __asm__ volatile("isb\n mrs %0, cntvct_el0" : "=r"(count));
    ((struct frame *)f)->result = count;
}

/* Variables of the dynamic linker here, of which it shows one to the C library only. */
extern uint64_t __stack_chk_guard;

static uint64_t canary(void)
{
    return __stack_chk_guard;
}

static uint64_t pointer_guard(void)
{
    const uint64_t *guard = dlsym(RTLD_DEFAULT, "__pointer_chk_guard");
    return guard ? *guard : 0;
}
