/* Who made a system call: not the C library, by whose function it was made, but who called that.
 * The compiler's own unwinder knows, which is linked in. */
#include "loader.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

#define MOST_FRAMES 64

struct search {
    uint64_t instruction; /* that made the call; frames before it are the handler's */
    int is_past;
    int frames;
    uint64_t found;
};

static const void *object_of(uint64_t instruction)
{
    Dl_info info;
    return dladdr((void *)instruction, &info) ? info.dli_fbase : NULL;
}

/* The C library, the dynamic linker, which calls constructors, and this program. */
static int is_system(uint64_t instruction)
{
    const void *object = object_of(instruction);
    return !object || object == object_of((uint64_t)exit) || object == object_of((uint64_t)_r_debug.r_ldbase)
        || object == object_of((uint64_t)find_caller);
}

static _Unwind_Reason_Code look(struct _Unwind_Context *frame, void *given)
{
    struct search *search = given;
    int is_interrupted = 0;
    uint64_t instruction = _Unwind_GetIPInfo(frame, &is_interrupted);
    if (++search->frames > MOST_FRAMES || !instruction)
        return _URC_END_OF_STACK;
    search->is_past |= instruction == search->instruction;
    /* Where a call returns to may be the next function's. */
    instruction -= !is_interrupted;
    if (!search->is_past || is_system(instruction))
        return _URC_NO_REASON;
    search->found = instruction;
    return _URC_END_OF_STACK;
}

uint64_t find_caller(uint64_t instruction)
{
    struct search search = {.instruction = instruction};
    _Unwind_Backtrace(look, &search);
    return search.found ? search.found : instruction;
}
