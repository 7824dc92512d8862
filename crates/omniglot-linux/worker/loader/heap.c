/* The heap: libc's own malloc, which gets all its memory now, since it can map
 * nothing later. */
#include "loader.h"

#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>

#define MAX_REGIONS 4096
#define SMALLEST_HEAP (1ul << 20)
#define SLACK (256ul << 10) /* for what malloc adds, and its alignment */

static uint64_t largest_gap(const struct config *config)
{
    struct region regions[MAX_REGIONS];
    size_t count = read_maps(regions, MAX_REGIONS);
    uint64_t end = config->base + config->size;
    uint64_t free_from = config->base + config->stack_end;
    uint64_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        if (regions[i].end <= free_from || regions[i].start >= end)
            continue;
        if (regions[i].start > free_from && regions[i].start - free_from > largest)
            largest = regions[i].start - free_from;
        free_from = regions[i].end;
    }
    if (end > free_from && end - free_from > largest)
        largest = end - free_from;
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
    char *heap = reserve(largest_gap(config), &size);
    share_heap(config, heap, size);
    free(heap);
}
