/* Where the host runs the library itself, the host's handler of SIGSYS sends the thread to the
 * server, with the domain's rights, as the processor sends one to the kernel: see
 * serve_interrupted in machine/. */
#include "server.h"

/* A part at a time, so that the call can be stopped. */
int take_back_by_call(uint64_t start, uint64_t size)
{
    while (size) {
        long done = system3(ASK_TAKE_BACK, (long)start, (long)size, 0);
        if (done <= 0 || (uint64_t)done > size)
            return 0;
        start += (uint64_t)done;
        size -= (uint64_t)done;
    }
    return 1;
}

#ifdef HANDS_OFF

/* On the stack, by the assembly. */
struct caller {
    long arguments[6];
    uint64_t instruction;
    uint64_t stack;
};

#ifndef IN_REGION /* where the caller's stack can be used: it is in the region */
char serve_stack[SERVE_STACK] __attribute__((visibility("hidden"), aligned(16)));
#endif

#ifdef IN_REGION
/* Behind its return address: it was called. */
#define STACK_OF(caller) ((long)&(caller)->stack)
#else
#define STACK_OF(caller) ((long)(caller)->stack)
#endif

/* The path that a denied call names is for the error's message. */
__attribute__((noreturn)) static void deny(uint32_t number, const struct caller *caller)
{
    path_of_call(number, caller->arguments, report_of(server.control)->text);
    for (;;)
        system3(ASK_DENY, (long)number, (long)caller->instruction, STACK_OF(caller));
}

#ifdef IN_REGION

int host_takes_back(uint64_t start, uint64_t size)
{
    return take_back_by_call(start, size);
}

/* What the host does of a call: it makes it, or ends foreign code that wants to end; else DENY. */
static long ask_host(uint32_t number, const long *a)
{
    return system6(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

__attribute__((used, visibility("hidden"))) long serve_call(uint32_t number, const struct caller *caller)
{
    int asks_first = !server.world || server.world->asks_host;
    long result = asks_first ? ask_host(number, caller->arguments) : DENY;
    if (result == DENY)
        result = answer_call(number, caller->arguments, 0);
    if (result == DENY && !asks_first)
        result = ask_host(number, caller->arguments);
    if (result == DENY)
        deny(number, caller);
    return result;
}

#else

__attribute__((used, visibility("hidden"))) long serve_call(uint32_t number, const struct caller *caller)
{
    long result = answer_call(number, caller->arguments, 0);
    if (result == DENY)
        deny(number, caller);
    return result;
}

#endif

#endif
