/* Signals of foreign code: what happened, for the host. The stub and the loader have
 * handlers of their own, for what comes before and after the loader's start. */
#ifndef OMNIGLOT_SIGNALS_H
#define OMNIGLOT_SIGNALS_H

#include "control.h"
#include "system.h"

#include <signal.h>
#include <ucontext.h>

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT};

static inline int is_denied(int signal, const siginfo_t *info)
{
    return signal == SIGSYS && info->si_code == SYS_SECCOMP;
}

/* abort() and raise() end in tgkill, which no filter allows. */
static inline int is_abort(const siginfo_t *info, const greg_t *registers)
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

/* The length of an instruction that reads the processor's clock, where that is forbidden
 * (PR_SET_TSC, prctl(2)); else 0. */
static inline int reads_clock(int signal, const siginfo_t *info, const ucontext_t *context)
{
    const uint8_t *code = (const uint8_t *)context->uc_mcontext.gregs[REG_RIP];
    if (signal != SIGSEGV || info->si_code != SI_KERNEL || (uint64_t)code >> 47)
        return 0;
    if (code[0] == 0x0f && code[1] == 0x31)
        return 2; /* rdtsc */
    return code[0] == 0x0f && code[1] == 0x01 && code[2] == 0xf9 ? 3 /* rdtscp */ : 0;
}

/* Continues after an instruction that reads the processor's clock, with this value. */
static inline int tells_cycles(uint64_t cycles, int signal, const siginfo_t *info, ucontext_t *context)
{
    greg_t *registers = context->uc_mcontext.gregs;
    int length = reads_clock(signal, info, context);
    if (!length)
        return 0;
    registers[REG_RAX] = (greg_t)(cycles & 0xffffffff);
    registers[REG_RDX] = (greg_t)(cycles >> 32);
    if (length == 3)
        registers[REG_RCX] = 0;
    registers[REG_RIP] += length;
    return 1;
}

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
        context->uc_mcontext.gregs[REG_RAX] = -1; /* EPERM: the dynamic linker's words have no listener */
        return 1;
    }
    report->refused = 1 + (uint64_t)(uint32_t)info->si_syscall;
    context->uc_mcontext.gregs[REG_RAX] = -info->si_errno;
    return 1;
}

/* Records everything except the place; returns the event to answer with. */
static inline uint32_t write_report(struct report *report, int signal, const siginfo_t *info, const ucontext_t *context)
{
    const greg_t *registers = context->uc_mcontext.gregs;
    report->instruction = (uint64_t)registers[REG_RIP];
    report->stack = (uint64_t)registers[REG_RSP];
    report->address = (uint64_t)info->si_addr;
    report->signal = (uint32_t)(reads_clock(signal, info, context) ? SIGILL : signal);
    if (!is_denied(signal, info))
        return EVENT_FAULT;
    if (is_abort(info, registers)) {
        report->signal = SIGABRT;
        return EVENT_FAULT;
    }
    report->number = (uint32_t)info->si_syscall;
    return EVENT_DENIED;
}

#endif
