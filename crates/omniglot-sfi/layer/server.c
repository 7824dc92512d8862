/* The system-call server in an image: its sources are those of the other runtimes' (worker/server).
 * Here are the way to it, and what a region has in the place of the machine's assembly. What the
 * library has as an instruction for a system call, the rewriter makes a call of omniglot_sfi_serve;
 * the gate, which that stood for, leads to the host, which does what only it can do. */
#define _GNU_SOURCE
#include "worker/server/server.h"

#include <sys/mman.h>

/* The host sets it to the control area of control.h; it stays 0 if the host has no use for a server. */
uint64_t omniglot_sfi_control;

/* All registers of the caller's stay but rax, rcx and r11, since the server is compiled for general
 * registers only. What is pushed is struct caller of entry.c. */
__asm__(".text\n"
        ".globl omniglot_sfi_serve\n"
        ".type omniglot_sfi_serve, @function\n"
        "omniglot_sfi_serve:\n"
        "push %r9\n"
        "push %r8\n"
        "push %r10\n"
        "push %rdx\n"
        "push %rsi\n"
        "push %rdi\n"
        "mov %eax, %edi\n"
        "mov %rsp, %rsi\n"
        "call serve_call\n"
        "pop %rdi\n"
        "pop %rsi\n"
        "pop %rdx\n"
        "pop %r10\n"
        "pop %r8\n"
        "pop %r9\n"
        "ret\n"
        ".size omniglot_sfi_serve, . - omniglot_sfi_serve\n");

long copy_or_fail(void *into, const void *from, size_t size)
{
    __asm__ volatile("rep movsb" : "+D"(into), "+S"(from), "+c"(size) : : "memory");
    return 0; /* copy_bytes has looked whether there is memory */
}

void fill_bytes(void *into, int byte, size_t size)
{
    __asm__ volatile("rep stosb" : "+D"(into), "+c"(size) : "a"(byte) : "memory");
}

void *server_fill(void *into, int byte, size_t size)
{
    fill_bytes(into, byte, size);
    return into;
}

/* No string instruction runs downwards in a region. */
void *server_move(void *into, const void *from, size_t size)
{
    volatile char *to = into;
    const volatile char *source = from;
    if ((size_t)(to - source) >= size)
        copy_or_fail(into, from, size);
    else
        while (size--)
            to[size] = source[size];
    return into;
}

size_t server_length(const char *text)
{
    size_t length = 0;
    while (*(const volatile char *)&text[length])
        length++;
    return length;
}

/* No other thread is there, and memory that is cleared is the host's to discard. */
int is_first_thread(void)
{
    return 1;
}

/* What the server may access: the host lists it where a loader would for the host. */
static void note_memory(const struct hand_off *hand_off)
{
    const struct region *regions = (const struct region *)hand_off->regions;
    for (uint64_t i = 0; i < hand_off->region_count; i++)
        note_range(regions[i].start, regions[i].end, regions[i].protection);
    give_memory(hand_off->pool_start, hand_off->pool_end);
}

/* Before all else in each life. */
void omniglot_sfi_start_server(void)
{
    void *control = (void *)omniglot_sfi_control;
    if (!control)
        return;
    server.is_in_process = 1;
    note_memory(hand_off_of(control));
    start_server(control, control);
}

/* The variables that the host sets, one behind the other, and how many. */
const char *omniglot_sfi_variables(size_t *count)
{
    const struct config *config = (const struct config *)omniglot_sfi_control;
    *count = config ? config->variable_count : 0;
    return config ? (const char *)config + config->environment : 0;
}

/* What a C library starts with: 16 bytes that the host drew. None where numbers are to be the same in
 * each life. */
const uint64_t *omniglot_sfi_seed(void)
{
    return server.world && server.world->start[0] ? server.world->start : 0;
}
