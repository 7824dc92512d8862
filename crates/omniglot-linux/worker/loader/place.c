/* Where an instruction is, as "libpng16.so.16 png_read_row+0x1c". */
#include "loader.h"

#include <dlfcn.h>
#include <string.h>

/* Text that grows within its room. */
struct text {
    char *next;
    char *end;
};

static void add(struct text *text, const char *string)
{
    while (*string && text->next < text->end - 1)
        *text->next++ = *string++;
    *text->next = 0;
}

static void add_hexadecimal(struct text *text, uint64_t number)
{
    char digits[2 + 16 + 1] = "0x";
    int count = 1;
    while (count < 16 && number >> (4 * count))
        count++;
    for (int i = 0; i < count; i++)
        digits[2 + i] = "0123456789abcdef"[number >> (4 * (count - 1 - i)) & 15];
    digits[2 + count] = 0;
    add(text, digits);
}

/* The shims are loaded from a descriptor, whose path means nothing to a reader. */
static const char *name_of(const char *path)
{
    if (strncmp(path, "/proc/self/fd/", 14) == 0)
        return "shims";
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

void describe_place(uint64_t instruction, char *buffer, size_t size)
{
    Dl_info info;
    struct text text = {buffer, buffer + size};
    if (!dladdr((void *)instruction, &info) || !info.dli_fname)
        return;
    add(&text, name_of(info.dli_fname));
    if (info.dli_sname) {
        add(&text, " ");
        add(&text, info.dli_sname);
    }
    add(&text, "+");
    add_hexadecimal(&text, instruction - (uint64_t)(info.dli_sname ? info.dli_saddr : info.dli_fbase));
}
