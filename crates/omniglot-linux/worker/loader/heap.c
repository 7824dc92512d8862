/* The memory that loading left free. A worker that serves calls has it mapped by the server in
 * the domain; one that hands the library off has no server, so libc's own malloc gets all of it
 * at once. */
#include "loader.h"

#include "../server/server.h"

#include <dlfcn.h>
#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>

#define MAX_REGIONS 4096
#define SMALLEST_HEAP (1ul << 20)
#define SLACK (256ul << 10) /* for what malloc adds, and its alignment */

/* What malloc maps by itself, takes more at a time, and keeps, in bytes. */
#define MAPPED (4 << 20)
#define PADDING (1 << 20)
#define MOST_UNUSED (16 << 20)

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

/* malloc keeps what it once had: with brk out of room it maps one region for this
 * request, and the trim threshold lets nothing go. Limits of the system on private
 * memory may allow less than the gap. */
static char *reserve(uint64_t gap, uint64_t *size)
{
    if (gap < SMALLEST_HEAP + SLACK)
        start_failed(control, STEP_HEAP, -12 /* ENOMEM */);
    for (*size = gap - SLACK; *size >= SMALLEST_HEAP; *size -= *size / 8) {
        char *heap = malloc(*size);
        if (heap)
            return heap;
    }
    start_failed(control, STEP_HEAP, -12 /* ENOMEM */);
}

/* The region's first page holds malloc's header; the pages between it and the last
 * were never touched, so the memory of the window can take their place at once. */
static void share_heap(const struct config *config, char *heap, uint64_t size)
{
    uint64_t start = (uint64_t)heap & -PAGE_SIZE;
    uint64_t end = ((uint64_t)heap + size) & -PAGE_SIZE;
    uint64_t offset = start - config->base;
    long result = system6(__NR_pwrite64, WINDOW_FD, (long)start, PAGE_SIZE, (long)offset, 0, 0);
    if (result != (long)PAGE_SIZE)
        start_failed(control, STEP_HEAP, result);
    result = map(start, end - start, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, WINDOW_FD, offset);
    if (failed(result))
        start_failed(control, STEP_HEAP, result);
}

void make_heap(const struct config *config)
{
    uint64_t size;
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    struct region gap = largest_gap(config);
    char *heap = reserve(gap.end - gap.start, &size);
    share_heap(config, heap, size);
    free(heap);
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
    long result = map(gap.start, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, WINDOW_FD, gap.start - config->base);
    if (failed(result))
        start_failed(control, STEP_HEAP, result);
    tree_start = gap.end - config->tree_size;
    give_memory(gap.start, tree_start);
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, MAPPED);
    mallopt(M_TOP_PAD, PADDING);
    mallopt(M_TRIM_THRESHOLD, MOST_UNUSED);
    forget_break();
}
