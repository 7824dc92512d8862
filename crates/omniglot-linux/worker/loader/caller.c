/* Who made a system call, or caused a fault: not the C library, in whose function it was, but who
 * called that. The compiler's own unwinder knows, which is linked in where the C library is glibc. */
#include "loader.h"

#include "../server/server.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <unwind.h>
#endif

#define MOST_FRAMES 64
#define MOST_WORDS 256

static const void *object_of(uint64_t instruction)
{
    Dl_info info;
    return dladdr((void *)instruction, &info) ? info.dli_fbase : NULL;
}

/* musl's dynamic linker is its C library. */
static int is_linker(const void *object)
{
#ifdef __GLIBC__
    return object == object_of((uint64_t)_r_debug.r_ldbase);
#else
    (void)object;
    return 0;
#endif
}

/* The C library, the dynamic linker, which calls constructors, and this program. */
int is_system(uint64_t instruction)
{
    const void *object = object_of(instruction);
    return !object || object == object_of((uint64_t)exit) || is_linker(object) || object == object_of((uint64_t)find_caller);
}

static int follows_call(uint64_t address)
{
    uint8_t code[8];
    return !copy_bytes(code, (void *)(address - sizeof code), sizeof code) && is_call(code);
}

/* Whether a word can be where the library goes on after a call. */
static int is_return(uint64_t word)
{
    return follows_call(word) && !is_system(word - 1);
}

/* Some functions of the C library cannot be unwound, such as `clone`, and nothing can where there
 * is no code: then the first word on the stack that can be where the library goes on. */
uint64_t guess_caller(uint64_t stack, uint64_t link, uint64_t otherwise)
{
    uint64_t word;
    link = plain_address(link);
    if (link && is_return(link))
        return link - 1;
    for (int i = 0; i < MOST_WORDS && !copy_bytes(&word, (void *)(stack + 8 * (uint64_t)i), sizeof word); i++)
        if (is_return(plain_address(word)))
            return plain_address(word) - 1;
    return otherwise;
}

#ifdef __GLIBC__
struct search {
    uint64_t instruction; /* where the signal came; frames before it are the handler's */
    int is_past;
    int frames;
    uint64_t found;
};

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

/* Who called, as far as the unwinder gets; 0 if it does not. */
static uint64_t unwind(uint64_t instruction)
{
    struct search search = {.instruction = instruction};
    /* The unwinder reads the code of a frame that it does not know: there must be some. */
    if (object_of(instruction))
        _Unwind_Backtrace(look, &search);
    return search.found;
}
#else
/* musl has no tables for an unwinder in it. */
static uint64_t unwind(uint64_t instruction)
{
    (void)instruction;
    return 0;
}
#endif

uint64_t find_caller(uint64_t instruction, uint64_t stack, uint64_t link)
{
    uint64_t found = unwind(instruction);
    return found ? found : guess_caller(stack, link, instruction);
}
