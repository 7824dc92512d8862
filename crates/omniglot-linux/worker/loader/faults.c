/* Signals become reports: what happened, where, in words where possible. */
#include "loader.h"

#include <signal.h>
#include <ucontext.h>

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

/* Room for a frame with all vector registers (AT_MINSIGSTKSZ, at most 11 KiB
 * today) and for dladdr. It lies in the window as the loader's other data. */
static char signal_stack[64 << 10];

static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT};

/* abort() and raise() end in tgkill, which no filter allows. */
static int is_abort(const siginfo_t *info, const greg_t *registers)
{
    switch (info->si_syscall) {
    case __NR_tgkill:
        return registers[REG_RDX] == SIGABRT;
    case __NR_tkill:
        return registers[REG_RSI] == SIGABRT;
    default:
        return 0;
    }
}

/* Never returns into the code that faulted. What is certain is written first: if
 * finding the name faults as well, the kernel ends the process and the host reads
 * the rest. */
static void report_fault(int signal, siginfo_t *info, void *context)
{
    const greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    struct report *report = report_of(control);
    int denied = signal == SIGSYS && info->si_code == SYS_SECCOMP;
    uint32_t event = EVENT_FAULT;

    report->instruction = (uint64_t)registers[REG_RIP];
    report->stack = (uint64_t)registers[REG_RSP];
    report->address = (uint64_t)info->si_addr;
    report->signal = (uint32_t)signal;
    if (denied && is_abort(info, registers)) {
        report->signal = SIGABRT;
    } else if (denied) {
        report->number = (uint32_t)info->si_syscall;
        event = EVENT_DENIED;
    }
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
