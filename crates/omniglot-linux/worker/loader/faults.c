/* Turns signals into reports: what happened, and where, as text if possible. */
#define _GNU_SOURCE /* for the names of registers */
#include "loader.h"

#include "../server/server.h"
#include "../signals.h"


/* Room for frames with all vector registers (AT_MINSIGSTKSZ, at most 11 KiB today; two, if
 * a call names memory that is not there), for the server, and for dladdr. It lies in the window as the loader's other data. */
static char signal_stack[128 << 10];

int is_loading = 1;

/* Calls that the server answers continue with its answer. */
static int is_answered(int signal, const siginfo_t *info, ucontext_t *context)
{
    if (!is_denied(signal, info))
        return 0;
    long arguments[6];
    for (unsigned i = 0; i < COUNT(arguments); i++)
        arguments[i] = argument_of(context, i);
    uint32_t number = (uint32_t)info->si_syscall;
    if (end_thread(number, context))
        return 1;
    long result = start_thread(number, context);
    if (result == DENY)
        result = answer_call(number, arguments, is_loading);
    if (result == DENY)
        return 0;
    set_result(context, result);
    return 1;
}

/* The server was asked to read or write memory that is not there. */
static int is_copy(int signal, ucontext_t *context)
{
    uint64_t instruction = instruction_of(context);
    if ((signal != SIGSEGV && signal != SIGBUS) || instruction < (uint64_t)copy_access || instruction >= (uint64_t)copy_access_end)
        return 0;
    set_instruction(context, (uint64_t)copy_failed);
    return 1;
}

/* Who asked for a call that is denied, and for what. */
static void describe_request(struct report *report, const ucontext_t *context)
{
    const long arguments[] = {argument_of(context, 0), argument_of(context, 1)};
    find_place(find_caller(report->instruction, report->stack, link_of(context)), &places_of(control)->here);
    path_of_call((uint32_t)report->number, arguments, report->text);
}

/* Where it was, and if that says little to the library's user, who called that. The stack may be
 * anything by now: what is found first stays if looking at it ends the process. */
static void describe_fault(const struct report *report, const ucontext_t *context)
{
    struct code_places *places = places_of(control);
    find_place(report->instruction, &places->here);
    if (!is_system(report->instruction))
        return;
    uint64_t caller = find_caller(report->instruction, report->stack, link_of(context));
    if (caller != report->instruction)
        find_place(caller, &places->caller);
}

/* Never returns into the code that faulted, but from what is answered or merely fails. What is
 * certain is written first: if finding the name faults as well, the process ends and the host
 * reads the rest. */
static void report_fault(int signal, siginfo_t *info, void *context)
{
    static int is_over;
    struct report *report = report_of(control);
    if (is_copy(signal, context) || is_answered(signal, info, context))
        return;
    if (!is_loading && tells_cycles(count_cycles(), signal, info, context))
        return;
    if (is_loading && goes_on(report, signal, info, context))
        return;
    if (__atomic_exchange_n(&is_over, 1, __ATOMIC_RELAXED))
        exit_process(128 + signal);
    uint32_t event = write_report(report, signal, info, context);
    channel_of(control)->event = event;
    if (event == EVENT_DENIED)
        describe_request(report, context);
    else
        describe_fault(report, context);
    answer(event);
    exit_process(128 + signal);
}

void catch_faults(void)
{
    stack_t stack = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
    sigaltstack(&stack, NULL);
    handle_fatal_signals(report_fault);
}
