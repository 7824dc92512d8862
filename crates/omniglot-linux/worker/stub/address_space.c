/* The address space: everything but the window is taken, so that whatever the
 * dynamic linker and libc map from now on lands in the window. */
#include "stub.h"

#include <linux/mman.h>

#define RESERVED (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

void occupy_address_space(void *control, const struct config *config)
{
    long window = map(config->base, config->size, PROT_NONE, RESERVED | MAP_FIXED_NOREPLACE, -1, 0);
    require(control, STEP_RESERVE, window);
    if ((uint64_t)window != config->base)
        start_failed(control, STEP_RESERVE, -1);
    for (uint64_t size = 1ul << 46; size >= PAGE_SIZE; size /= 2)
        while (!failed(map(0, size, PROT_NONE, RESERVED, -1, 0)))
            ;
}

/* In the place of a mapping that is not needed any more: no hole may remain. */
void occupy(void *mapping, uint64_t size)
{
    map((uint64_t)mapping, size, PROT_NONE, RESERVED | MAP_FIXED, -1, 0);
}

static void map_part(void *control, const struct config *config, uint64_t start, uint64_t end)
{
    long part = map(config->base + start, end - start, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, WINDOW_FD, start);
    require(control, STEP_MAP_WINDOW, part);
}

/* What lies between the two parts stays inaccessible: the stack's guard. */
void map_window(void *control, const struct config *config)
{
    map_part(control, config, 0, config->exchange_end);
    map_part(control, config, config->stack_start, config->stack_end);
    long freed = system3(__NR_munmap, (long)(config->base + config->stack_end), (long)(config->size - config->stack_end), 0);
    require(control, STEP_MAP_WINDOW, freed);
}
