/* The first stack: arguments, environment and auxiliary vector, laid out as in the
 * System V ABI for x86-64, section 3.4.1. It lies in the window from the start. */
#include "stub.h"

#include <linux/auxvec.h>

#define STRINGS_SIZE 1024
#define WORDS_SIZE 2048
#define RANDOM_SIZE 16

/* Where strings and words go next. */
struct builder {
    char *strings;
    uint64_t *words;
};

static uint64_t add_bytes(struct builder *builder, const char *bytes, uint64_t size)
{
    char *copy = builder->strings;
    memcpy(copy, bytes, size);
    builder->strings += size;
    return (uint64_t)copy;
}

static uint64_t add_string(struct builder *builder, const char *string)
{
    uint64_t size = 1;
    while (string[size - 1])
        size++;
    return add_bytes(builder, string, size);
}

static void add_word(struct builder *builder, uint64_t word)
{
    *builder->words++ = word;
}

/* The dynamic linker, run as a command, takes the program as its first argument.
 * The second "string" is the window's first byte: that is how the loader learns
 * where it is. */
static void add_arguments(struct builder *builder, const struct config *config)
{
    add_word(builder, 3);
    add_word(builder, add_string(builder, "ld.so"));
    add_word(builder, add_string(builder, "/proc/self/fd/4"));
    add_word(builder, config->base);
    add_word(builder, 0);
}

/* Everything is bound at once, so that nothing is resolved (and no lock taken) in
 * the middle of a call; restartable sequences would need the kernel to write to
 * memory that is about to be replaced. */
static void add_environment(struct builder *builder, const struct config *config)
{
    add_word(builder, add_string(builder, "LD_BIND_NOW=1"));
    add_word(builder, add_string(builder, "GLIBC_TUNABLES=glibc.pthread.rseq=0"));
    if (config->search_path)
        add_word(builder, config->base + config->search_path);
    const char *variable = (const char *)config->base + config->environment;
    for (uint32_t i = 0; i < config->variable_count; i++) {
        add_word(builder, (uint64_t)variable);
        while (*variable++)
            ;
    }
    add_word(builder, 0);
}

/* The value for the dynamic linker of an entry that the kernel gave the stub. */
static uint64_t translate(struct builder *builder, const struct linker *linker, const uint64_t *entry)
{
    switch (entry[0]) {
    case AT_PHDR:
        return linker->headers;
    case AT_PHNUM:
        return linker->header_count;
    case AT_ENTRY:
        return linker->entry;
    case AT_BASE:
        return 0;
    case AT_RANDOM:
        return add_bytes(builder, (const char *)entry[1], RANDOM_SIZE);
    case AT_PLATFORM:
    case AT_BASE_PLATFORM:
    case AT_EXECFN:
        return add_string(builder, (const char *)entry[1]);
    default:
        return entry[1];
    }
}

/* No vDSO: it lies outside the window. No area for restartable sequences. */
static int is_dropped(uint64_t type)
{
    return type == AT_SYSINFO_EHDR || type == 27 /* AT_RSEQ_FEATURE_SIZE */ || type == 28 /* AT_RSEQ_ALIGN */;
}

static void add_auxiliary_vector(struct builder *builder, const struct linker *linker, const uint64_t *kernel_stack)
{
    const uint64_t *entry = kernel_stack + 1 + kernel_stack[0] + 1;
    while (*entry++)
        ; /* the environment */
    for (; entry[0] != AT_NULL; entry += 2) {
        if (is_dropped(entry[0]))
            continue;
        uint64_t value = translate(builder, linker, entry);
        add_word(builder, entry[0]);
        add_word(builder, value);
    }
    add_word(builder, AT_NULL);
    add_word(builder, 0);
}

uint64_t build_stack(const struct config *config, const struct linker *linker, const uint64_t *kernel_stack)
{
    uint64_t top = config->base + config->stack_end;
    uint64_t start = top - STRINGS_SIZE - WORDS_SIZE;
    struct builder builder = {(char *)(top - STRINGS_SIZE), (uint64_t *)start};
    add_arguments(&builder, config);
    add_environment(&builder, config);
    add_auxiliary_vector(&builder, linker, kernel_stack);
    return start;
}
