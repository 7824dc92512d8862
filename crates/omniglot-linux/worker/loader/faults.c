/* Signals become reports: what happened, where, in words where possible. */
#include "loader.h"

#include "../signals.h"

/* Room for a frame with all vector registers (AT_MINSIGSTKSZ, at most 11 KiB
 * today) and for dladdr. It lies in the window as the loader's other data. */
static char signal_stack[64 << 10];

int is_loading = 1;

/* Never returns into the code that faulted, but while loading from what merely fails. What is
 * certain is written first: if finding the name faults as well, the kernel ends the
 * process and the host reads the rest. */
static void report_fault(int signal, siginfo_t *info, void *context)
{
    struct report *report = report_of(control);
    if (is_loading && goes_on(report, signal, info, context))
        return;
    uint32_t event = write_report(report, signal, info, context);
    channel_of(control)->event = event;
    describe_place(report->instruction, report->text, REPORT_TEXT);
    answer(event);
    exit_process(128 + signal);
}

void catch_faults(void)
{
    stack_t stack = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
    sigaltstack(&stack, NULL);
    struct sigaction action = {.sa_sigaction = report_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    for (size_t i = 0; i < sizeof fatal_signals / sizeof *fatal_signals; i++)
        sigaction(fatal_signals[i], &action, NULL);
}
