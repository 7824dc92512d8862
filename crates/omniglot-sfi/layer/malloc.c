/* malloc and its like, for images with a C library.
 *
 * musl's own asks for whole groups of blocks, and gives each back as soon as it is empty. So a small
 * job that allocates a few buffers asks the host for each, and each page faults anew. This one keeps
 * free memory, as glibc's does, and gives back what is more than some MiB of it.
 *
 * All memory is one heap, which the break ends. It is divided into chunks, and adjacent free ones are
 * joined at once. There is a list of free chunks for each class of sizes. Behind the last chunk is the
 * top, which belongs to no list. There is one thread, so there are no locks. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

extern void abort(void);

/* Memory as known to be zero: from the kernel, and not written since. */
struct zeros {
    char *start;
    char *end;
};

/* A chunk: its size with flags, and its content. That of a free one begins with the links of its list,
 * and, if it is large, what of it is zero; it ends with the size again. Chunks lie 8 bytes below a
 * multiple of 16, so that contents are aligned. */
struct chunk {
    size_t head;
    struct chunk *next;
    struct chunk *previous;
    struct zeros zeros;
};

enum {
    IS_FREE = 1,
    IS_BEHIND_FREE = 2, /* the chunk before it is free */
    FLAGS = 15,
    HEADER = sizeof(size_t),
    LEAST = 32, /* the size of a chunk, with links and both sizes */
    PAGE = 4096,
    STEP = 256 << 10,      /* by how much the heap grows at least */
    KEPT = 32 << 20,       /* the most free memory in one piece that is not given back */
    KEPT_AT_TOP = 1 << 20, /* what remains then behind the last chunk */
    EXACT = 32,            /* classes of one size each: multiples of 16 */
    TRIES = 8,             /* chunks of its own class that are tried for a request */
    CLASSES = EXACT + (32 - 9) * 8,
};

#define MOST (((size_t)1 << 32) - ((size_t)1 << 20)) /* of a block; no region's heap has that much */

static struct {
    char *top;   /* where the last chunk ends; 0 before the first request */
    char *end;   /* the break */
    char *fresh; /* from here to the break nothing was ever written */
    struct chunk *classes[CLASSES];
    uint64_t used[(CLASSES + 63) / 64]; /* a bit for each class with chunks */
} heap;

static long ask(long number, uint64_t first, uint64_t second, uint64_t third)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(first), "S"(second), "d"(third) : "rcx", "r11", "memory");
    return result;
}

/* brk(2) */
static char *move_break(char *to)
{
    return (char *)ask(12, (uint64_t)to, 0, 0);
}

/* madvise(2) with MADV_DONTNEED: pages become zero, and the system has their memory. */
static int discard(char *start, char *end)
{
    return start >= end || !ask(28, (uint64_t)start, (uint64_t)(end - start), 4);
}

static char *page_up(char *at)
{
    return (char *)(((uintptr_t)at + PAGE - 1) & -(uintptr_t)PAGE);
}

static char *page_down(char *at)
{
    return (char *)((uintptr_t)at & -(uintptr_t)PAGE);
}

static size_t size_of(const struct chunk *chunk)
{
    return chunk->head & ~(size_t)FLAGS;
}

static struct chunk *at(void *place, size_t offset)
{
    return (struct chunk *)((char *)place + offset);
}

static void *content(struct chunk *chunk)
{
    return (char *)chunk + HEADER;
}

/* The size of a chunk for so many bytes; 0 if there is none. */
static size_t size_for(size_t bytes)
{
    if (bytes > MOST)
        return 0;
    size_t size = (bytes + HEADER + 15) & ~(size_t)15;
    return size < LEAST ? LEAST : size;
}

/* Classes: one for each size below 512, and eight for each power of two from there on. */
static unsigned class_of(size_t size)
{
    if (size < 16 * EXACT)
        return (unsigned)(size / 16);
    unsigned power = 63 - (unsigned)__builtin_clzl(size);
    return EXACT + (power - 9) * 8 + (size >> (power - 3) & 7);
}

static void unlink_chunk(struct chunk *chunk)
{
    unsigned class = class_of(size_of(chunk));
    if (chunk->previous)
        chunk->previous->next = chunk->next;
    else
        heap.classes[class] = chunk->next;
    if (chunk->next)
        chunk->next->previous = chunk->previous;
    if (!heap.classes[class])
        heap.used[class / 64] &= ~(1ul << class % 64);
}

/* Makes a chunk free that lies between chunks in use. */
static void link_chunk(struct chunk *chunk, size_t size, struct zeros zeros)
{
    unsigned class = class_of(size);
    chunk->head = size | IS_FREE;
    chunk->next = heap.classes[class];
    chunk->previous = 0;
    if (chunk->next)
        chunk->next->previous = chunk;
    heap.classes[class] = chunk;
    heap.used[class / 64] |= 1ul << class % 64;
    if (size > KEPT)
        chunk->zeros = zeros;
    at(chunk, size - HEADER)->head = size;
    at(chunk, size)->head |= IS_BEHIND_FREE;
}

/* What is zero of the content of a free chunk of that size, from an address on. */
static struct zeros zeros_of(const struct chunk *chunk, size_t size)
{
    struct zeros none = {0, 0};
    return size > KEPT ? chunk->zeros : none;
}

static struct zeros without_start(struct zeros zeros, void *start)
{
    if (zeros.start < (char *)start)
        zeros.start = start;
    if (zeros.end < zeros.start)
        zeros.end = zeros.start;
    return zeros;
}

static size_t length_of(struct zeros zeros)
{
    return (size_t)(zeros.end - zeros.start);
}

/* The smallest of the first chunks of a class that is large enough, or any chunk of a class of larger
 * ones. */
static struct chunk *find(size_t size)
{
    unsigned class = class_of(size), tries = TRIES;
    for (struct chunk *chunk = heap.classes[class]; chunk && tries; chunk = chunk->next, tries--)
        if (size_of(chunk) >= size)
            return chunk;
    class++;
    for (unsigned word = class / 64; word < sizeof heap.used / sizeof *heap.used; word++) {
        uint64_t bits = heap.used[word];
        if (word == class / 64)
            bits &= -1ul << class % 64;
        if (bits)
            return heap.classes[word * 64 + (unsigned)__builtin_ctzl(bits)];
    }
    return 0;
}

/* Makes the top at least that large. */
static int grow(size_t size)
{
    if (!heap.top) {
        char *start = move_break(0);
        heap.end = start;
        heap.top = (char *)(((uintptr_t)start + 15) & -(uintptr_t)16) + HEADER;
        heap.fresh = heap.top;
    }
    size_t there = heap.end > heap.top ? (size_t)(heap.end - heap.top) : 0;
    if (there >= size)
        return 1;
    char *least = page_up(heap.top + size), *more = page_up(heap.end + STEP);
    if (more < least)
        more = least;
    if (move_break(more) == more)
        heap.end = more;
    else if (move_break(least) == least)
        heap.end = least;
    else
        return 0;
    return 1;
}

/* Gives back what is much behind the last chunk. */
static void trim(void)
{
    char *end = page_up(heap.top + KEPT_AT_TOP);
    if (heap.end - heap.top <= KEPT || move_break(end) != end)
        return;
    heap.end = end;
    if (heap.fresh > end)
        heap.fresh = end;
}

static struct chunk *take_from_top(size_t size, struct zeros *zeros)
{
    if (!grow(size))
        return 0;
    struct chunk *chunk = (struct chunk *)heap.top;
    heap.top += size;
    *zeros = (struct zeros){heap.fresh, heap.top};
    if (heap.fresh < heap.top)
        heap.fresh = heap.top;
    chunk->head = size;
    return chunk;
}

/* Makes the rest of a chunk free, whose neighbours are in use. */
static void split(struct chunk *chunk, size_t size, struct zeros zeros)
{
    size_t whole = size_of(chunk), rest = whole - size;
    if (rest < LEAST)
        return;
    chunk->head -= rest;
    struct chunk *behind = at(chunk, size);
    link_chunk(behind, rest, without_start(zeros, behind + 1));
}

/* A chunk in use; and what of it is zero, as far as that is known. */
static struct chunk *take(size_t size, struct zeros *zeros)
{
    struct chunk *chunk = find(size);
    if (!chunk)
        return take_from_top(size, zeros);
    size_t whole = size_of(chunk);
    unlink_chunk(chunk);
    *zeros = zeros_of(chunk, whole);
    chunk->head = whole;
    at(chunk, whole)->head &= ~(size_t)IS_BEHIND_FREE;
    split(chunk, size, *zeros);
    return chunk;
}

/* Gives the pages of a large free chunk back, as far as much of it is not zero already. */
static struct zeros purge(struct chunk *chunk, size_t size, struct zeros zeros)
{
    if (size <= KEPT || size - length_of(zeros) <= KEPT)
        return zeros;
    char *start = page_up((char *)(chunk + 1)), *end = page_down((char *)chunk + size - HEADER);
    if (!length_of(zeros))
        zeros.start = zeros.end = start;
    /* Zeros end with a page, but what was taken of them need not. */
    int is_done = discard(start, page_up(zeros.start)) && discard(zeros.end, end);
    return is_done ? (struct zeros){start, end} : zeros;
}

static void give(struct chunk *chunk)
{
    size_t size = size_of(chunk);
    struct zeros zeros = {0, 0};
    if (chunk->head & IS_BEHIND_FREE) {
        size_t before = *((size_t *)chunk - 1);
        chunk = at(chunk, -before);
        unlink_chunk(chunk);
        zeros = zeros_of(chunk, before);
        size += before;
    }
    struct chunk *behind = at(chunk, size);
    if ((char *)behind == heap.top) {
        heap.top = (char *)chunk;
        trim();
        return;
    }
    if (behind->head & IS_FREE) {
        size_t more = size_of(behind);
        unlink_chunk(behind);
        struct zeros others = zeros_of(behind, more);
        if (length_of(others) > length_of(zeros))
            zeros = others;
        size += more;
    }
    link_chunk(chunk, size, purge(chunk, size, zeros));
}

/* The chunk of a block in use; the call ends if there is none. */
static struct chunk *chunk_of(void *block)
{
    struct chunk *chunk = at(block, -(size_t)HEADER);
    if ((uintptr_t)block % 16 || (char *)block >= heap.top || chunk->head & IS_FREE || size_of(chunk) < LEAST)
        abort();
    return chunk;
}

static struct chunk *allocate(size_t bytes, struct zeros *zeros)
{
    size_t size = size_for(bytes);
    struct chunk *chunk = size ? take(size, zeros) : 0;
    if (!chunk)
        errno = ENOMEM;
    return chunk;
}

void *__libc_malloc(size_t bytes)
{
    struct zeros zeros;
    struct chunk *chunk = allocate(bytes, &zeros);
    return chunk ? content(chunk) : 0;
}

void __libc_free(void *block)
{
    if (block)
        give(chunk_of(block));
}

static void clear(char *start, char *end)
{
    if (start < end)
        memset(start, 0, (size_t)(end - start));
}

void *__libc_calloc(size_t count, size_t each)
{
    size_t bytes;
    struct zeros zeros;
    if (__builtin_mul_overflow(count, each, &bytes))
        bytes = -1ul;
    struct chunk *chunk = allocate(bytes, &zeros);
    if (!chunk)
        return 0;
    char *start = content(chunk), *end = start + bytes;
    zeros = without_start(zeros, start);
    clear(start, zeros.start < end ? zeros.start : end);
    clear(zeros.end, end);
    return start;
}

/* Makes a chunk larger where it is. */
static int extend(struct chunk *chunk, size_t size)
{
    size_t own = size_of(chunk);
    struct chunk *behind = at(chunk, own);
    if ((char *)behind == heap.top) {
        struct zeros zeros;
        if (!take_from_top(size - own, &zeros))
            return 0;
        chunk->head += size - own;
        return 1;
    }
    size_t more = size_of(behind);
    if (!(behind->head & IS_FREE) || own + more < size)
        return 0;
    unlink_chunk(behind);
    struct zeros zeros = zeros_of(behind, more);
    chunk->head += more;
    at(chunk, own + more)->head &= ~(size_t)IS_BEHIND_FREE;
    split(chunk, size, zeros);
    return 1;
}

/* Makes a chunk smaller, and what is behind it free. */
static void shorten(struct chunk *chunk, size_t size)
{
    size_t rest = size_of(chunk) - size;
    if (rest < LEAST)
        return;
    chunk->head -= rest;
    struct chunk *behind = at(chunk, size);
    behind->head = rest;
    give(behind);
}

void *__libc_realloc(void *block, size_t bytes)
{
    if (!block)
        return __libc_malloc(bytes);
    struct chunk *chunk = chunk_of(block);
    size_t size = size_for(bytes), own = size_of(chunk);
    if (size && size <= own) {
        shorten(chunk, size);
        return block;
    }
    if (size && extend(chunk, size))
        return block;
    void *moved = __libc_malloc(bytes);
    if (!moved)
        return 0;
    memcpy(moved, block, own - HEADER);
    give(chunk);
    return moved;
}

/* A block at a multiple of a power of two. */
static void *allocate_at(size_t multiple, size_t bytes)
{
    struct zeros zeros;
    if (multiple <= 16)
        return __libc_malloc(bytes);
    if (bytes > MOST || multiple > MOST) {
        errno = ENOMEM;
        return 0;
    }
    struct chunk *chunk = allocate(bytes + multiple + LEAST, &zeros);
    if (!chunk)
        return 0;
    uintptr_t start = (uintptr_t)content(chunk);
    if (start & (multiple - 1)) {
        /* What is before it is a chunk, too. */
        uintptr_t place = (start + LEAST + multiple - 1) & -(uintptr_t)multiple;
        size_t before = place - start;
        struct chunk *aligned = at(chunk, before);
        aligned->head = size_of(chunk) - before;
        chunk->head -= aligned->head;
        give(chunk);
        chunk = aligned;
    }
    shorten(chunk, size_for(bytes));
    return content(chunk);
}

/* A library may have functions of its own with these names. */
#define PUBLIC(name) __attribute__((weak, alias("__libc_" #name)))
PUBLIC(malloc) void *malloc(size_t bytes);
PUBLIC(free) void free(void *block);
PUBLIC(calloc) void *calloc(size_t count, size_t each);
PUBLIC(realloc) void *realloc(void *block, size_t bytes);

__attribute__((weak)) void *memalign(size_t multiple, size_t bytes)
{
    if (multiple & (multiple - 1)) {
        errno = EINVAL;
        return 0;
    }
    return allocate_at(multiple, bytes);
}

__attribute__((weak)) void *aligned_alloc(size_t multiple, size_t bytes)
{
    return memalign(multiple, bytes);
}

__attribute__((weak)) int posix_memalign(void **block, size_t multiple, size_t bytes)
{
    if (multiple < sizeof(void *) || multiple & (multiple - 1))
        return EINVAL;
    void *found = allocate_at(multiple, bytes);
    if (found)
        *block = found;
    return found ? 0 : ENOMEM;
}

__attribute__((weak)) size_t malloc_usable_size(void *block)
{
    return block ? size_of(chunk_of(block)) - HEADER : 0;
}
