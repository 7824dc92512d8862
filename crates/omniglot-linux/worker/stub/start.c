/* The stub's order of events. */
#include "stub.h"

#include <linux/mman.h>

/* The control area where the kernel likes it, until the window exists. */
static void *map_control(void)
{
    long address = map(0, SHARED_START, PROT_READ | PROT_WRITE, MAP_SHARED, WINDOW_FD, 0);
    if (failed(address))
        exit_process(STEP_MAP_CONTROL);
    return (void *)address;
}

/* machine/: the first instructions come here. */
__attribute__((noreturn, used)) void stub(const uint64_t *kernel_stack)
{
    probe(kernel_stack);
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
    occupy(control, SHARED_START);
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
