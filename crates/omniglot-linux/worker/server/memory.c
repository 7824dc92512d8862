/* Memory: mappings and the break, from the part of the window that loading left free.
 *
 * The kernel changes nothing of it: all is mapped, readable and writable, from the start, and
 * untouched pages cost nothing. Pages that nobody has are zero: what is given back is cleared
 * here where it is little, and by the host where it is much, which gives it back to the
 * system. Protections are remembered by nobody, and memory is never executable, unless that is
 * permitted: then the kernel sets them for the library, and here they are set back. */
#define _GNU_SOURCE
#include "server.h"

#include <sys/mman.h>

#define MOST_MAPPINGS 16384
#define LEAST_TAKEN_BACK (128ul << 10) /* clearing less takes less time than asking the host */
#define KEPT_FREE (64ul << 10)         /* the break stays that far from mappings */
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MAP_UNINITIALIZED
#define MAP_UNINITIALIZED 0x4000000
#endif

struct extent {
    uint64_t start;
    uint64_t end;
};

/* The break grows from the pool's start, mappings from its end downwards. */
static struct {
    struct extent pool;
    uint64_t brk;
    struct extent mappings[MOST_MAPPINGS]; /* in ascending order; adjacent ones are joined */
    size_t count;
} memory;

void give_memory(uint64_t start, uint64_t end)
{
    memory.pool = (struct extent){start, end};
    memory.brk = start;
}

uint64_t pool_start(void)
{
    return memory.pool.start;
}

uint64_t pool_end(void)
{
    return memory.pool.end;
}

static uint64_t page_up(uint64_t size)
{
    return (size + PAGE_SIZE - 1) & -PAGE_SIZE;
}

static void clear(uint64_t start, uint64_t size)
{
    if (size < LEAST_TAKEN_BACK || !host_takes_back(start, size))
        fill_bytes((void *)start, 0, size);
}

/* Mappings do not come closer to the break than this. */
static uint64_t lowest(void)
{
    return page_up(memory.brk);
}

/* The first mapping that ends above an address. */
static size_t first_above(uint64_t address)
{
    size_t low = 0, high = memory.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memory.mappings[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int is_free(uint64_t start, uint64_t end)
{
    size_t next = first_above(start);
    return next == memory.count || memory.mappings[next].start >= end;
}

static int is_mapped(uint64_t start, uint64_t end)
{
    size_t at = first_above(start);
    return at < memory.count && memory.mappings[at].start <= start && end <= memory.mappings[at].end;
}

static void remove_at(size_t at)
{
    memory.count--;
    for (size_t i = at; i < memory.count; i++)
        memory.mappings[i] = memory.mappings[i + 1];
}

static int insert_at(size_t at, struct extent extent)
{
    if (memory.count == MOST_MAPPINGS)
        return 0;
    for (size_t i = memory.count; i > at; i--)
        memory.mappings[i] = memory.mappings[i - 1];
    memory.mappings[at] = extent;
    memory.count++;
    return 1;
}

/* Adds free pages to the mappings. */
static int occupy(uint64_t start, uint64_t end)
{
    size_t next = first_above(start);
    int joins_next = next < memory.count && memory.mappings[next].start == end;
    int joins_last = next > 0 && memory.mappings[next - 1].end == start;
    if (joins_last && joins_next) {
        memory.mappings[next - 1].end = memory.mappings[next].end;
        remove_at(next);
    } else if (joins_last) {
        memory.mappings[next - 1].end = end;
    } else if (joins_next) {
        memory.mappings[next].start = start;
    } else {
        return insert_at(next, (struct extent){start, end});
    }
    return 1;
}

/* Where pages are free: the highest place, as the kernel chooses. 0 if there is none. */
static uint64_t find_free(uint64_t size)
{
    uint64_t end = memory.pool.end;
    for (size_t i = memory.count; i-- > 0;) {
        if (end - memory.mappings[i].end >= size)
            return end - size;
        end = memory.mappings[i].start;
    }
    uint64_t start = lowest() + KEPT_FREE;
    return end > start && end - start >= size ? end - size : 0;
}

static long protect(uint64_t start, uint64_t size, int protection)
{
    return system3(__NR_mprotect, (long)start, (long)size, protection);
}

/* Takes pages from who has them; what is cleared is what was there. */
static int release(uint64_t start, uint64_t end)
{
    for (size_t i = first_above(start); i < memory.count && memory.mappings[i].start < end;) {
        struct extent *mapping = &memory.mappings[i];
        uint64_t from = mapping->start > start ? mapping->start : start;
        uint64_t to = mapping->end < end ? mapping->end : end;
        if (mapping->start < from && to < mapping->end) {
            if (!insert_at(i + 1, (struct extent){to, mapping->end}))
                return 0;
            mapping->end = from;
            i++;
        } else if (mapping->start < from) {
            mapping->end = from;
            i++;
        } else if (to < mapping->end) {
            mapping->start = to;
        } else {
            remove_at(i);
        }
        if (server.config->is_executable)
            protect(from, to - from, PROT_READ | PROT_WRITE);
        clear(from, to - from);
    }
    return 1;
}

uint64_t take_pages(uint64_t size)
{
    uint64_t start = find_free(page_up(size));
    return start && occupy(start, start + page_up(size)) ? start : 0;
}

void return_pages(uint64_t start, uint64_t size)
{
    release(start, start + page_up(size));
}

static int is_in_pool(uint64_t start, uint64_t size)
{
    return start >= lowest() && start <= memory.pool.end && size <= memory.pool.end - start;
}

/* Whether a range is the window's, and not only the pool's: code and data of libraries. */
static int is_in_window(uint64_t start, uint64_t size)
{
    return start >= server.window_start && start <= server.window_end && size <= server.window_end - start;
}

static long place_fixed(uint64_t start, uint64_t size, int flags)
{
    if (start & (PAGE_SIZE - 1))
        return -EINVAL;
    if (!is_in_pool(start, size))
        return -ENOMEM;
    if (flags & MAP_FIXED_NOREPLACE && !is_free(start, start + size))
        return -EEXIST;
    if (!release(start, start + size))
        return -ENOMEM;
    return (long)start;
}

long serve_mmap(const long *a)
{
    uint64_t size = page_up((uint64_t)a[1]);
    int protection = (int)a[2], flags = (int)a[3], type = flags & MAP_TYPE;
    long start;

    if (a[5] & (long)(PAGE_SIZE - 1) || !a[1])
        return -EINVAL;
    if (type != MAP_PRIVATE && type != MAP_SHARED && type != MAP_SHARED_VALIDATE)
        return -EINVAL;
    if (!size || size > server.window_end - server.window_start)
        return -ENOMEM;
    if (protection & PROT_EXEC && !server.config->is_executable)
        return -EACCES;
    if (!(flags & (MAP_ANONYMOUS | MAP_FIXED | MAP_FIXED_NOREPLACE)) && protection == PROT_READ) {
        start = (long)where_it_lies(a[4], size, (uint64_t)a[5]);
        if (start)
            return start;
    }
    if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))
        start = place_fixed((uint64_t)a[0], size, flags);
    else
        start = (long)find_free(size);
    if (start <= 0)
        return start ? start : -ENOMEM;
    if (!occupy((uint64_t)start, (uint64_t)start + size))
        return -ENOMEM;
    if (flags & MAP_ANONYMOUS)
        return protection & PROT_EXEC && failed(protect((uint64_t)start, size, protection)) ? -ENOMEM : start;
    if (protection & PROT_EXEC)
        return release((uint64_t)start, (uint64_t)start + size), -EACCES;
    long result = read_for_mapping(a[4], type != MAP_PRIVATE, protection, (uint64_t)start, (uint64_t)a[1], (uint64_t)a[5]);
    if (result < 0)
        release((uint64_t)start, (uint64_t)start + size);
    return result < 0 ? result : start;
}

/* Where nothing is mapped there is nothing to do. Libraries that are closed stay. */
long serve_munmap(const long *a)
{
    uint64_t start = (uint64_t)a[0], size = page_up((uint64_t)a[1]);
    if (start & (PAGE_SIZE - 1) || !size || size > (1ul << ADDRESS_BITS) || start > (1ul << ADDRESS_BITS) - size)
        return -EINVAL;
    return release(start, start + size) ? 0 : -ENOMEM;
}

static long move(uint64_t from, uint64_t old_size, uint64_t to, uint64_t new_size)
{
    if (!occupy(to, to + new_size))
        return -ENOMEM;
    copy_bytes((void *)to, (void *)from, old_size < new_size ? old_size : new_size);
    release(from, from + old_size);
    return (long)to;
}

long serve_mremap(const long *a)
{
    uint64_t from = (uint64_t)a[0], old_size = page_up((uint64_t)a[1]), new_size = page_up((uint64_t)a[2]);
    uint64_t to = (uint64_t)a[4];
    int flags = (int)a[3];

    if (flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED) || from & (PAGE_SIZE - 1) || !new_size)
        return -EINVAL;
    if (flags & MREMAP_FIXED && !(flags & MREMAP_MAYMOVE))
        return -EINVAL;
    if (new_size > server.window_end - server.window_start)
        return flags & MREMAP_FIXED ? -EINVAL : -ENOMEM;
    if (flags & MREMAP_FIXED && (to & (PAGE_SIZE - 1) || (to < from + old_size && from < to + new_size)))
        return -EINVAL;
    if (!old_size)
        return -EINVAL; /* a second mapping of shared memory */
    if (old_size > (1ul << ADDRESS_BITS) || !is_mapped(from, from + old_size))
        return -EFAULT;
    if (flags & MREMAP_FIXED) {
        long place = place_fixed(to, new_size, 0);
        return place < 0 ? place : move(from, old_size, to, new_size);
    }
    if (new_size <= old_size)
        return new_size == old_size || release(from + new_size, from + old_size) ? (long)from : -ENOMEM;
    if (is_in_pool(from, new_size) && is_free(from + old_size, from + new_size))
        return occupy(from + old_size, from + new_size) ? (long)from : -ENOMEM;
    if (!(flags & MREMAP_MAYMOVE))
        return -ENOMEM;
    to = find_free(new_size);
    return to ? move(from, old_size, to, new_size) : -ENOMEM;
}

/* The error for a range that is to be mapped; 0 if it is. */
static long check_mapped(uint64_t start, uint64_t size)
{
    if (start & (PAGE_SIZE - 1))
        return -EINVAL;
    if (!size)
        return 0;
    if (!is_in_window(start, size))
        return -ENOMEM;
    /* What is not the pool's is libraries' and stacks', and was mapped before. */
    if (start + size <= memory.pool.start || start >= memory.pool.end || start + size <= lowest())
        return 0;
    return is_mapped(start, start + size) ? 0 : -ENOMEM;
}

long serve_mprotect(const long *a)
{
    uint64_t start = (uint64_t)a[0], size = page_up((uint64_t)a[1]);
    long error = check_mapped(start, size);
    if (error || !size)
        return error;
    if (a[2] & PROT_EXEC)
        return -EACCES;
    /* The protections of what was loaded stay as they are. */
    return start >= memory.pool.start && start + size <= memory.pool.end ? 0 : -EACCES;
}

long serve_madvise(const long *a)
{
    uint64_t start = (uint64_t)a[0], size = page_up((uint64_t)a[1]);
    if (a[2] < 0 || (a[2] > 25 && a[2] != 100 && a[2] != 101) || (a[2] > 4 && a[2] < 8))
        return -EINVAL;
    long error = check_mapped(start, size);
    if (error || !size)
        return error;
    if (a[2] == MADV_DONTNEED || a[2] == MADV_REMOVE) {
        if (start < memory.pool.start || start + size > memory.pool.end)
            return -EINVAL;
        clear(start, size);
    }
    return 0;
}

/* All that is mapped is reported as resident. */
long serve_mincore(const long *a)
{
    static const char in_memory = 1;
    uint64_t size = page_up((uint64_t)a[1]);
    long error = check_mapped((uint64_t)a[0], size);
    for (uint64_t page = 0; !error && page < size / PAGE_SIZE; page++)
        error = copy_bytes((char *)a[2] + page, &in_memory, 1);
    return error;
}

long serve_mlock(const long *a)
{
    return check_mapped((uint64_t)a[0] & -PAGE_SIZE, page_up((uint64_t)a[1]));
}

long serve_msync(const long *a)
{
    int flags = (int)a[2];
    if (flags & ~(MS_ASYNC | MS_SYNC | MS_INVALIDATE) || (flags & MS_ASYNC && flags & MS_SYNC))
        return -EINVAL;
    return check_mapped((uint64_t)a[0], page_up((uint64_t)a[1]));
}

/* Gives the break that holds, as the kernel does; libc compares. */
long serve_brk(const long *a)
{
    uint64_t wanted = (uint64_t)a[0];
    uint64_t end = memory.count ? memory.mappings[0].start : memory.pool.end;
    if (wanted < memory.pool.start || wanted > end || end - wanted < KEPT_FREE)
        return (long)memory.brk;
    if (wanted < memory.brk)
        clear(wanted, memory.brk - wanted);
    memory.brk = wanted;
    return (long)wanted;
}
