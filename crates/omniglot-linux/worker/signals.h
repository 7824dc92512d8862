/* Signals of foreign code: what happened, for the host. The stub and the loader have
 * handlers of their own, for what comes before and after the loader's start. */
#ifndef OMNIGLOT_SIGNALS_H
#define OMNIGLOT_SIGNALS_H

#include "control.h"
#include "system.h"

#include "machine/context.h"

#include <signal.h>

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT};

#ifndef SA_RESTORER
#define SA_RESTORER 0x04000000
#endif

/* What rt_sigaction takes, as the kernel has it: sigaction(2), under "C library/kernel
 * differences". */
struct handler {
    void (*handle)(int signal, siginfo_t *info, void *context);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};

/* machine/: where handlers return to. */
void return_from_handler(void);

/* Not by libc: some leave the return to the kernel, whose code for that is not there any more. */
static inline long handle_fatal_signals(void (*handle)(int, siginfo_t *, void *))
{
    struct handler handler = {handle, SA_SIGINFO | SA_ONSTACK | SA_RESTORER, return_from_handler, 0};
    for (unsigned i = 0; i < sizeof fatal_signals / sizeof *fatal_signals; i++) {
        long set = system6(__NR_rt_sigaction, fatal_signals[i], (long)&handler, 0, sizeof handler.mask, 0, 0);
        if (failed(set))
            return set;
    }
    return 0;
}

static inline int is_denied(int signal, const siginfo_t *info)
{
    return signal == SIGSYS && info->si_code == SYS_SECCOMP;
}

/* abort() and raise() end in tgkill, which no filter allows. */
static inline int is_abort(const siginfo_t *info, const ucontext_t *context)
{
    switch (info->si_syscall) {
    case __NR_tgkill:
        return argument_of(context, 2) == SIGABRT;
    case __NR_tkill:
        return argument_of(context, 1) == SIGABRT;
    default:
        return 0;
    }
}

/* The length of an instruction that reads the processor's clock, where that is forbidden
 * (PR_SET_TSC, prctl(2)); else 0. */
static inline int reads_clock(int signal, const siginfo_t *info, const ucontext_t *context)
{
    const uint8_t *code = (const uint8_t *)instruction_of(context);
    if (signal != SIGSEGV || info->si_code != SI_KERNEL || (uint64_t)code >> ADDRESS_BITS)
        return 0;
    return length_of_clock_read(code);
}

/* Continues after an instruction that reads the processor's clock, with this value. */
static inline int tells_cycles(uint64_t cycles, int signal, const siginfo_t *info, ucontext_t *context)
{
    int length = reads_clock(signal, info, context);
    if (length)
        give_cycles(context, cycles, length);
    return length != 0;
}

#ifdef __NR_open
/* musl opens files by this call, glibc by the other, which filters look at and the host answers: so
 * nobody else needs to know both. */
static inline void open_by_other_call(ucontext_t *context)
{
    const long working_directory = -100; /* AT_FDCWD */
    long path = argument_of(context, 0), flags = argument_of(context, 1), mode = argument_of(context, 2);
    set_result(context, system6(__NR_openat, working_directory, path, flags, mode, 0, 0));
}
#endif

/* The filter for loading puts an error number into the signal for a call that it does
 * not know: the call fails, and foreign code goes on when the handler returns. */
static inline int goes_on(struct report *report, int signal, const siginfo_t *info, ucontext_t *context)
{
    /* Reading the clock while loading gives zero: ld.so reads it, for its statistics. */
    if (tells_cycles(0, signal, info, context))
        return 1;
    if (!is_denied(signal, info) || !info->si_errno)
        return 0;
    if (info->si_syscall == __NR_write || info->si_syscall == __NR_writev) {
        set_result(context, -1); /* EPERM: the dynamic linker's words have no listener */
        return 1;
    }
#ifdef __NR_open
    if (info->si_syscall == __NR_open) {
        open_by_other_call(context);
        return 1;
    }
#endif
    report->refused = 1 + (uint64_t)(uint32_t)info->si_syscall;
    set_result(context, -info->si_errno);
    return 1;
}

/* Records everything except the place; returns the event to answer with. */
static inline uint32_t write_report(struct report *report, int signal, const siginfo_t *info, const ucontext_t *context)
{
    report->instruction = instruction_of(context);
    report->stack = stack_of(context);
    report->address = (uint64_t)info->si_addr;
    report->signal = (uint32_t)(reads_clock(signal, info, context) ? SIGILL : signal);
    if (!is_denied(signal, info))
        return EVENT_FAULT;
    if (is_abort(info, context)) {
        report->signal = SIGABRT;
        return EVENT_FAULT;
    }
    report->number = (uint32_t)info->si_syscall;
    return EVENT_DENIED;
}

#endif
