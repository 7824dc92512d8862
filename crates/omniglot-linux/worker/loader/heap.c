/* The memory that loading left free, which the server in the domain gives out. */
#include "loader.h"

#include "../server/server.h"

#include <dlfcn.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <sys/mman.h>

#define MAX_REGIONS 4096
#define SMALLEST_HEAP (1ul << 20)

/* What glibc's malloc maps by itself, takes more at a time, and keeps, in bytes. Setting any of them
 * ends its own adaptation, which makes the first and the last grow to these values where a program
 * frees large blocks (mallopt(3)): jobs that allocate some MiB then have no pages cleared. */
#define MAPPED (32 << 20)
#define PADDING (1 << 20)
#define MOST_UNUSED (64 << 20)

static void take_larger(struct region *largest, uint64_t start, uint64_t end)
{
    if (end > start && end - start > largest->end - largest->start) {
        largest->start = start;
        largest->end = end;
    }
}

static struct region largest_gap(const struct config *config)
{
    struct region regions[MAX_REGIONS];
    size_t count = read_maps(regions, MAX_REGIONS);
    uint64_t end = config->base + config->size;
    uint64_t free_from = config->base + config->threads_end;
    struct region largest = {0};
    for (size_t i = 0; i < count; i++) {
        if (regions[i].end <= free_from || regions[i].start >= end)
            continue;
        take_larger(&largest, free_from, regions[i].start);
        free_from = regions[i].end;
    }
    take_larger(&largest, free_from, end);
    return largest;
}

/* glibc's: few calls for much memory. musl's has nothing to set. */
static void set_malloc(void)
{
#ifdef __GLIBC__
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, MAPPED);
    mallopt(M_TOP_PAD, PADDING);
    mallopt(M_TRIM_THRESHOLD, MOST_UNUSED);
#endif
}

/* While the library was loaded, libc learnt that there is no break. Now there is one: it asks
 * again if it does not know where it is. */
static void forget_break(void)
{
    void **known = dlsym(RTLD_DEFAULT, "__curbrk");
    if (known)
        *known = NULL;
}

static uint64_t tree_start;

uint64_t place_of_tree(const struct config *config)
{
    return config->tree_size ? tree_start : 0;
}

/* The host's files, behind the memory: mapped as they are, and not copied. */
void place_tree(const struct config *config)
{
    if (!config->tree_size)
        return;
    long result = map(tree_start, config->tree_size, PROT_READ, MAP_PRIVATE | MAP_FIXED, TREE_FD, 0);
    if (failed(result))
        start_failed(control, STEP_SHARE, result);
    server.world->tree = tree_start;
}

/* Few calls for much memory: each is a signal. What malloc maps it gives back when it is freed. */
void make_pool(const struct config *config)
{
    struct region gap = largest_gap(config);
    uint64_t size = gap.end - gap.start;
    if (size < SMALLEST_HEAP + config->tree_size)
        start_failed(control, STEP_HEAP, -12 /* ENOMEM */);
    tree_start = gap.end - config->tree_size;
    long result = map(gap.start, tree_start - gap.start, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, WINDOW_FD, gap.start - config->base);
    if (failed(result))
        start_failed(control, STEP_HEAP, result);
    give_memory(gap.start, tree_start);
    set_malloc();
    forget_break();
}
