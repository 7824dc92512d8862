/* Signals while the dynamic linker works, before the loader has handlers of its own:
 * without these the host would only see that a signal ended the worker. */
#define _GNU_SOURCE /* for the names of registers */
#include "stub.h"

#include "../signals.h"

#define SIGNAL_STACK (64ul << 10) /* room for all registers, as in loader/faults.c */

/* The lowest word of the handlers' stack says where the control area is: the stub has
 * no memory of its own that may be written. */
static void report_fault(int signal, siginfo_t *info, void *context)
{
    void *control = *(void **)((ucontext_t *)context)->uc_stack.ss_sp;
    struct report *report = report_of(control);
    if (goes_on(report, signal, info, context))
        return;
    post(control, channel_of(control)->request, write_report(report, signal, info, context));
    exit_process(128 + signal);
}

/* The handlers' stack is the end of the ordinary one, which nothing has reached yet. */
void catch_faults(void *control, const struct config *config)
{
    void **lowest = (void **)(config->base + config->stack_start);
    stack_t stack = {.ss_sp = lowest, .ss_size = SIGNAL_STACK};

    *lowest = control;
    require(control, STEP_CATCH_FAULTS, system3(__NR_sigaltstack, (long)&stack, 0, 0));
    require(control, STEP_CATCH_FAULTS, handle_fatal_signals(report_fault));
}
