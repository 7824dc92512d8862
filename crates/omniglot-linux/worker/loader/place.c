/* Where an instruction is: in which file, and in which function. */
#include "loader.h"

#include <dlfcn.h>
#include <string.h>

static void copy(char *room, size_t size, const char *string)
{
    size_t length = strnlen(string, size - 1);
    memcpy(room, string, length);
    room[length] = 0;
}

/* A path that is cut would name another file. */
static const char *that_fits(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && strlen(path) >= PLACE_OBJECT ? slash + 1 : path;
}

int find_place(uint64_t instruction, struct code_place *place)
{
    Dl_info info;
    if (!dladdr((void *)instruction, &info) || !info.dli_fname)
        return 0;
    place->offset = instruction - (uint64_t)info.dli_fbase;
    copy(place->object, sizeof place->object, that_fits(info.dli_fname));
    if (info.dli_sname) {
        place->in_function = instruction - (uint64_t)info.dli_saddr;
        copy(place->function, sizeof place->function, info.dli_sname);
    }
    return 1;
}
