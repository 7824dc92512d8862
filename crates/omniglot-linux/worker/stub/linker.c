/* Mapping the dynamic linker, as the kernel does for an ordinary program. */
#include "stub.h"

#include <elf.h>
#include <linux/mman.h>

#define MAX_HEADERS 32

static uint64_t page_down(const struct config *config, uint64_t address)
{
    return address & -config->page_size;
}

static uint64_t page_up(const struct config *config, uint64_t address)
{
    return page_down(config, address + config->page_size - 1);
}

static void read_file(void *control, void *into, uint64_t size, uint64_t offset)
{
    long got = system6(__NR_pread64, LINKER_FD, (long)into, (long)size, (long)offset, 0, 0);
    if (got != (long)size)
        start_failed(control, STEP_MAP_LINKER, failed(got) ? got : -1);
}

static int protection_of(const Elf64_Phdr *segment)
{
    int protection = 0;
    if (segment->p_flags & PF_R)
        protection |= PROT_READ;
    if (segment->p_flags & PF_W)
        protection |= PROT_WRITE;
    if (segment->p_flags & PF_X)
        protection |= PROT_EXEC;
    return protection;
}

/* Zeros after a segment's file part: the rest of its last page, then fresh pages. */
static void map_zeros(struct config *config, uint64_t base, const Elf64_Phdr *segment)
{
    uint64_t file_end = base + segment->p_vaddr + segment->p_filesz;
    uint64_t end = page_up(config, base + segment->p_vaddr + segment->p_memsz);
    for (char *byte = (char *)file_end; byte < (char *)page_up(config, file_end); byte++)
        *byte = 0;
    if (end > page_up(config, file_end))
        require(config, STEP_MAP_LINKER,
                map(page_up(config, file_end), end - page_up(config, file_end), protection_of(segment),
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
}

static void map_segment(struct config *config, uint64_t base, const Elf64_Phdr *segment)
{
    uint64_t start = page_down(config, base + segment->p_vaddr);
    uint64_t end = base + segment->p_vaddr + segment->p_filesz;
    require(config, STEP_MAP_LINKER,
            map(start, end - start, protection_of(segment), MAP_PRIVATE | MAP_FIXED, LINKER_FD,
                page_down(config, segment->p_offset)));
    if (segment->p_memsz > segment->p_filesz)
        map_zeros(config, base, segment);
}

struct linker map_linker(void *control)
{
    struct config *config = control;
    Elf64_Ehdr header;
    Elf64_Phdr segments[MAX_HEADERS];
    read_file(control, &header, sizeof header, 0);
    if (header.e_phnum > MAX_HEADERS)
        start_failed(control, STEP_MAP_LINKER, -1);
    read_file(control, segments, header.e_phnum * sizeof *segments, header.e_phoff);

    uint64_t size = 0;
    for (int i = 0; i < header.e_phnum; i++)
        if (segments[i].p_type == PT_LOAD)
            size = page_up(config, segments[i].p_vaddr + segments[i].p_memsz);
    long base = map(0, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(control, STEP_MAP_LINKER, base);
    for (int i = 0; i < header.e_phnum; i++)
        if (segments[i].p_type == PT_LOAD)
            map_segment(config, (uint64_t)base, &segments[i]);
    system3(__NR_close, LINKER_FD, 0, 0);
    return (struct linker){(uint64_t)base, (uint64_t)base + header.e_entry, (uint64_t)base + header.e_phoff,
                           header.e_phnum};
}
