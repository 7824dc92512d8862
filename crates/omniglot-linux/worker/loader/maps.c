/* Reading /proc/self/maps (proc_pid_maps(5)) without libc's streams, which would
 * allocate. The buffer is on the stack, which is the host's memory already. */
#include "loader.h"

#include <sys/mman.h>

#define BUFFER_SIZE (256 << 10)

static uint64_t parse_number(const char **text, unsigned base)
{
    uint64_t number = 0;
    for (;; (*text)++) {
        unsigned char digit = (unsigned char)**text;
        unsigned value = digit >= 'a' ? digit - 'a' + 10u : digit - '0' + 0u;
        if (digit < '0' || value >= base)
            return number;
        number = number * base + value;
    }
}

/* "start-end rwxp offset device inode path" */
static struct region parse_line(const char *line)
{
    struct region region = {0};
    region.start = parse_number(&line, 16);
    line++;
    region.end = parse_number(&line, 16);
    line++;
    region.protection = (line[0] == 'r' ? PROT_READ : 0) | (line[1] == 'w' ? PROT_WRITE : 0) | (line[2] == 'x' ? PROT_EXEC : 0);
    region.shared = line[3] == 's';
    line += 5;
    for (int column = 0; column < 2; column++)
        while (*line++ != ' ')
            ;
    region.from_file = parse_number(&line, 10) != 0;
    return region;
}

static size_t read_all(char *buffer, size_t size)
{
    size_t filled = 0;
    for (;;) {
        long got = system6(__NR_pread64, MAPS_FD, (long)(buffer + filled), (long)(size - filled - 1), (long)filled, 0, 0);
        if (failed(got))
            start_failed(control, STEP_SHARE, got);
        if (got == 0)
            break;
        filled += (size_t)got;
    }
    if (filled >= size - 1)
        start_failed(control, STEP_SHARE, -7 /* E2BIG: more mappings than we can list */);
    buffer[filled] = 0;
    return filled;
}

size_t read_maps(struct region *regions, size_t most)
{
    char buffer[BUFFER_SIZE];
    size_t count = 0;
    read_all(buffer, sizeof buffer);
    for (const char *line = buffer; *line && count < most; count++) {
        regions[count] = parse_line(line);
        while (*line && *line++ != '\n')
            ;
    }
    return count;
}
