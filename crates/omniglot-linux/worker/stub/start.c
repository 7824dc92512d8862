/* The stub's order of events. */
#include "stub.h"

#include <linux/mman.h>

__asm__(".globl _start\n"
        "_start:\n"
        "    xor %ebp, %ebp\n"
        "    mov %rsp, %rdi\n"
        "    and $-16, %rsp\n"
        "    call stub\n"
        "    ud2\n");

/* The control area where the kernel likes it, until the window exists. */
static void *map_control(void)
{
    long address = map(0, CONTROL_SIZE + PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, WINDOW_FD, 0);
    if (failed(address))
        exit_process(STEP_MAP_CONTROL);
    return (void *)address;
}

__attribute__((noreturn)) static void enter(uint64_t entry, uint64_t stack)
{
    __asm__ volatile("mov %0, %%rsp\n"
                     "xor %%edx, %%edx\n" /* no function to run at exit: System V ABI, section 3.4.1 */
                     "xor %%ebp, %%ebp\n"
                     "jmp *%1\n"
                     :
                     : "r"(stack), "r"(entry)
                     : "rdx", "memory");
    __builtin_unreachable();
}

__attribute__((noreturn, used)) void stub(const uint64_t *kernel_stack)
{
    if (failed(receive_files()))
        exit_process(STEP_RECEIVE);
    void *control = map_control();
    const struct config config = *(const struct config *)control;

    confine(control, &config);
    if (!config.hands_off)
        keep_serve_filter(control, config.serve_filter);
    drop_clock();
    occupy_address_space(control, &config);
    map_window(control, &config);
    occupy(control, CONTROL_SIZE + PAGE_SIZE);
    control = (void *)config.base;

    struct linker linker = map_linker(control);
    uint64_t stack = build_stack(&config, &linker, kernel_stack);
    tie_to_host(control, config.host);
    close_socket();
    catch_faults(control, &config);
    start_threads(control, &config);
    filter_system_calls(control, config.load_filter);
    enter(linker.entry, stack);
}

/* The compiler may call these for copies of structs, even in a freestanding program. */
void *memcpy(void *into, const void *from, unsigned long size)
{
    void *result = into;
    __asm__ volatile("rep movsb" : "+D"(into), "+S"(from), "+c"(size) : : "memory");
    return result;
}

void *memset(void *into, int byte, unsigned long size)
{
    void *result = into;
    __asm__ volatile("rep stosb" : "+D"(into), "+c"(size) : "a"(byte) : "memory");
    return result;
}
