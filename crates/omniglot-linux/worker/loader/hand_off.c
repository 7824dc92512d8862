/* The foreign side of a domain that runs in the host's process. The worker only loads:
 * it reports where everything is and waits to be killed. The host then copies the window
 * and runs the code below, and the library, on its own threads. */
#include "loader.h"

#include "../server/server.h"

#include <sys/mman.h>

#ifndef HANDS_OFF

/* No host on this architecture asks for that. */
void leave_to_host(uint32_t slot, void *arguments)
{
    (void)slot;
    (void)arguments;
}

void wait_to_be_copied(const struct config *config, const struct omniglot_image *image)
{
    (void)config;
    (void)image;
    start_failed(control, STEP_SHARE, -38 /* ENOSYS */);
}

#else

#define MAX_REGIONS 4096
#define RED_ZONE 128

/* Written by the host, in its copy. */
struct cells omniglot_cells;

/* machine/: an entry, as its comment says. */
extern void omniglot_call(void);

/* machine/: an entry for the host, after a fault or a denied call: has `describe` run on the server's
 * stack, since the one that was left has the callers' addresses. */
extern void omniglot_describe(void);

/* What dladdr knows of the instruction; of a denied call, which has a stack, who called the C library
 * there. */
__attribute__((used, visibility("hidden"))) void describe(void)
{
    const struct report *report = report_of(control);
    uint64_t instruction = report->instruction;
    if (report->stack && is_system(instruction))
        instruction = guess_caller(report->stack, 0, instruction);
    find_place(instruction, &places_of(control)->here);
}

/* What the server can read and write, as the host maps it (Regions in memory.rs). */
static void note_ranges(const struct config *config, const struct region *regions, size_t count)
{
    uint64_t own_end = config->base + config->exchange_end, end = config->base + config->size;
    note_range(config->base, own_end, PROT_READ | PROT_WRITE);
    for (size_t i = 0; i < count; i++)
        if (regions[i].end > own_end && regions[i].end <= end)
            note_range(regions[i].start > own_end ? regions[i].start : own_end, regions[i].end, regions[i].protection);
    if (config->tree_size)
        note_range(place_of_tree(config), place_of_tree(config) + config->tree_size, PROT_READ);
}

/* The list lies in memory that is the host's to fill later. */
void wait_to_be_copied(const struct config *config, const struct omniglot_image *image)
{
    struct region *regions = (struct region *)((char *)control + SHARED_START);
    struct hand_off *hand_off = hand_off_of(control);

    hand_off->region_count = read_maps(regions, MAX_REGIONS);
    if (hand_off->region_count == MAX_REGIONS)
        start_failed(control, STEP_SHARE, -7 /* E2BIG: more mappings than we can list */);
    note_ranges(config, regions, hand_off->region_count);
    server.is_in_process = 1;
    hand_off->regions = (uint64_t)regions;
    hand_off->stack = ((uint64_t)__builtin_frame_address(0) - PAGE_SIZE - RED_ZONE) & -16ul;
    hand_off->thread_pointer = thread_pointer();
    hand_off->call = (uint64_t)omniglot_call;
    hand_off->cells = (uint64_t)&omniglot_cells;
    hand_off->describe = (uint64_t)omniglot_describe;
    hand_off->serve = (uint64_t)serve_interrupted;
    hand_off->serve_stack = (uint64_t)serve_stack + SERVE_STACK;
    hand_off->tree = place_of_tree(config);
    hand_off->pool_start = pool_start();
    hand_off->pool_end = pool_end();
    channel_of(control)->arguments = (uint64_t)image;
    answer(EVENT_READY);
    for (;;)
        futex_wait(&channel_of(control)->request, channel_of(control)->request);
}

#endif
