/* Where the host runs the library itself, the host's handler of SIGSYS sends the thread to the
 * server, with the domain's rights, as the processor sends one to the kernel: see
 * serve_interrupted in machine/. */
#include "server.h"

#ifdef HANDS_OFF

/* On the stack, by the assembly. */
struct caller {
    long arguments[6];
    uint64_t instruction;
    uint64_t stack;
};

char serve_stack[SERVE_STACK] __attribute__((visibility("hidden"), aligned(16)));

/* The path that a denied call names is for the error's message. */
__attribute__((noreturn)) static void deny(uint32_t number, const struct caller *caller)
{
    path_of_call(number, caller->arguments, report_of(server.control)->text);
    for (;;)
        system3(ASK_DENY, (long)number, (long)caller->instruction, (long)caller->stack);
}

__attribute__((used, visibility("hidden"))) long serve_call(uint32_t number, const struct caller *caller)
{
    long result = answer_call(number, caller->arguments, 0);
    if (result == DENY)
        deny(number, caller);
    return result;
}

#endif
