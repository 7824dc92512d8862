/* The foreign side of a domain that runs in the host's process. The worker only loads:
 * it reports where everything is and waits to be killed. The host then copies the window
 * and runs the code below, and the library, on its own threads. */
#include "loader.h"

#include "../server/server.h"

#ifndef HANDS_OFF

/* No host on this architecture asks for that. */
void leave_to_host(uint32_t slot, void *arguments)
{
    (void)slot;
    (void)arguments;
}

void wait_to_be_copied(const struct omniglot_image *image)
{
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

/* An entry for the host, after a fault: what dladdr knows of the instruction. */
static void describe(void *unused)
{
    (void)unused;
    find_place(report_of(control)->instruction, &places_of(control)->here);
}

/* The list lies in memory that is the host's to fill later. */
void wait_to_be_copied(const struct omniglot_image *image)
{
    struct region *regions = (struct region *)((char *)control + SHARED_START);
    struct hand_off *hand_off = hand_off_of(control);

    hand_off->region_count = read_maps(regions, MAX_REGIONS);
    if (hand_off->region_count == MAX_REGIONS)
        start_failed(control, STEP_SHARE, -7 /* E2BIG: more mappings than we can list */);
    hand_off->regions = (uint64_t)regions;
    hand_off->stack = ((uint64_t)__builtin_frame_address(0) - PAGE_SIZE - RED_ZONE) & -16ul;
    hand_off->thread_pointer = thread_pointer();
    hand_off->call = (uint64_t)omniglot_call;
    hand_off->cells = (uint64_t)&omniglot_cells;
    hand_off->describe = (uint64_t)describe;
    channel_of(control)->arguments = (uint64_t)image;
    answer(EVENT_READY);
    for (;;)
        futex_wait(&channel_of(control)->request, channel_of(control)->request);
}

#endif
