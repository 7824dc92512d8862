/* What of the window is mapped, where the host runs the library itself: nothing is mapped or unmapped
 * there after loading. */
#include "server.h"

#include <sys/mman.h>

#define MOST_RANGES 4200 /* as many mappings as a domain can have, and some */

struct range {
    uint64_t start;
    uint64_t end;
    int protection;
};

static struct range ranges[MOST_RANGES]; /* ascending and disjoint */
static size_t count;

void note_range(uint64_t start, uint64_t end, int protection)
{
    size_t at = count;
    if (start >= end || !protection || count == MOST_RANGES)
        return;
    for (; at && ranges[at - 1].start > start; at--)
        ranges[at] = ranges[at - 1];
    ranges[at] = (struct range){start, end, protection};
    count++;
}

/* The first range that ends above an address. */
static size_t first_above(uint64_t address)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ranges[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int can_access(uint64_t start, uint64_t size, int protection)
{
    if (start + size < start)
        return 0;
    for (size_t i = first_above(start); size; i++) {
        if (i == count || ranges[i].start > start || !(ranges[i].protection & protection))
            return 0;
        uint64_t part = ranges[i].end - start;
        if (part >= size)
            return 1;
        start += part;
        size -= part;
    }
    return 1;
}
