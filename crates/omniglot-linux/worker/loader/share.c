/* Making the window's memory the host's memory: every page that is not yet in the
 * shared file is copied there, and the file is mapped in its place. Nothing but the
 * stack, which is shared already, is written meanwhile. */
#include "loader.h"

#include "../server/server.h"

#include <sys/mman.h>

#define MAX_REGIONS 4096
#define BATCH 512 /* pages that one look at the page map covers */

/* Bits of a page map entry: in memory or swapped out (Documentation/admin-guide/mm/pagemap.rst). */
#define PAGE_IN_USE (3ul << 62)

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14; before, the copy brings the pages in */
#endif

static void copy_run(const struct config *config, uint64_t start, uint64_t end)
{
    while (start < end) {
        long written = system6(__NR_pwrite64, WINDOW_FD, (long)start, (long)(end - start), (long)(start - config->base), 0, 0);
        if (failed(written) || written == 0)
            return; /* beyond the end of a mapped file: an access would fault, too */
        start += (uint64_t)written;
    }
}

/* Memory of no file that was never touched is zero, as the shared file is. */
static void copy_touched(const struct config *config, uint64_t start, uint64_t end)
{
    uint64_t entries[BATCH];
    while (start < end) {
        uint64_t pages = (end - start) / PAGE_SIZE;
        if (pages > BATCH)
            pages = BATCH;
        long got = system6(__NR_pread64, PAGEMAP_FD, (long)entries, (long)(pages * 8), (long)(start / PAGE_SIZE * 8), 0, 0);
        if (got != (long)(pages * 8))
            start_failed(control, STEP_SHARE, got);
        for (uint64_t page = 0; page < pages; page++)
            if (entries[page] & PAGE_IN_USE)
                copy_run(config, start + page * PAGE_SIZE, start + (page + 1) * PAGE_SIZE);
        start += pages * PAGE_SIZE;
    }
}

static void share_region(const struct config *config, const struct region *region)
{
    uint64_t size = region->end - region->start;
    int hidden = !(region->protection & PROT_READ) && region->protection;
    if (hidden)
        system3(__NR_mprotect, (long)region->start, (long)size, region->protection | PROT_READ);
    if (region->protection && region->from_file) {
        system3(__NR_madvise, (long)region->start, (long)size, MADV_POPULATE_READ);
        copy_run(config, region->start, region->end);
    }
    if (region->protection && !region->from_file)
        copy_touched(config, region->start, region->end);
    long result = map(region->start, size, region->protection, MAP_SHARED | MAP_FIXED, WINDOW_FD, region->start - config->base);
    if (failed(result))
        start_failed(control, STEP_SHARE, result);
}

void share_window(const struct config *config)
{
    struct region regions[MAX_REGIONS];
    size_t count = read_maps(regions, MAX_REGIONS);
    if (count == MAX_REGIONS)
        start_failed(control, STEP_SHARE, -7 /* E2BIG: more mappings than we can list */);
    for (size_t i = 0; i < count; i++) {
        uint64_t end = config->base + config->size;
        int inside = regions[i].start >= config->base + config->threads_end && regions[i].end <= end;
        if (inside && !regions[i].shared)
            share_region(config, &regions[i]);
    }
}
