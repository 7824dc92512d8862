/* The address space: everything except the window is reserved, so that whatever the
 * dynamic linker and libc map from now on lands in the window. */
#include "stub.h"

#include <linux/mman.h>

#define MAPS_SIZE (8 << 10) /* the stub has few mappings */
#define RESERVED (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

/* Whether a line of the list of mappings ends like this. */
static int ends_with(const char *line, const char *end, const char *name)
{
    unsigned length = 0;
    while (name[length])
        length++;
    if ((unsigned long)(end - line) < length)
        return 0;
    for (unsigned i = 0; i < length; i++)
        if ((end - length)[i] != name[i])
            return 0;
    return 1;
}

static uint64_t parse_address(const char **text)
{
    uint64_t address = 0;
    for (;; (*text)++) {
        if (**text >= '0' && **text <= '9')
            address = address * 16 + (uint64_t)(**text - '0');
        else if (**text >= 'a' && **text <= 'f')
            address = address * 16 + (uint64_t)(**text - 'a' + 10);
        else
            return address;
    }
}

/* The kernel's clock (vdso(7)): its data is the time, for everybody who can read it. The
 * dynamic linker does not get its address anyway. On some kernels it cannot be unmapped
 * (CONFIG_MSEAL_SYSTEM_MAPPINGS). */
void drop_clock(void)
{
    char text[MAPS_SIZE];
    long got = system6(__NR_pread64, MAPS_FD, (long)text, sizeof text, 0, 0, 0);
    const char *line = text;
    for (const char *end = text; !failed(got) && end < text + got; end++) {
        if (*end != '\n')
            continue;
        if (ends_with(line, end, "[vdso]") || ends_with(line, end, "[vvar]") || ends_with(line, end, "[vvar_vclock]")) {
            const char *next = line;
            uint64_t start = parse_address(&next);
            next++;
            system3(__NR_munmap, (long)start, (long)(parse_address(&next) - start), 0);
        }
        line = end + 1;
    }
}

void occupy_address_space(void *control, const struct config *config)
{
    long window = map(config->base, config->size, PROT_NONE, RESERVED | MAP_FIXED_NOREPLACE, -1, 0);
    require(control, STEP_RESERVE, window);
    if ((uint64_t)window != config->base)
        start_failed(control, STEP_RESERVE, -1);
    for (uint64_t size = 1ul << 46; size >= config->page_size; size /= 2)
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
    map_part(control, config, config->stack_start, config->threads_end);
    long freed = system3(__NR_munmap, (long)(config->base + config->threads_end), (long)(config->size - config->threads_end), 0);
    require(control, STEP_MAP_WINDOW, freed);
}
