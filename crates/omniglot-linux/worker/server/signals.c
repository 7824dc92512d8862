/* Signals: handlers and masks are stored, and returned when asked for, but no handler of the library
 * is ever called: a fault ends the call. */
#include "server.h"

#include <signal.h>

#define SIGNALS 64
#define MASK_SIZE 8
#define NEVER_BLOCKED (1ul << (SIGKILL - 1) | 1ul << (SIGSTOP - 1))

/* As the kernel has it: sigaction(2), under "C library/kernel differences". */
struct action {
    uint64_t handler;
    uint64_t flags;
    uint64_t restorer;
    uint64_t mask;
};

static struct action actions[SIGNALS];
static uint64_t blocked;
static stack_t stack = {.ss_flags = SS_DISABLE};

long serve_sigaction(const long *a)
{
    int signal = (int)a[0];
    struct action action, before;
    if (a[3] != MASK_SIZE)
        return -EINVAL;
    if (a[1] && FETCH(action, a[1]))
        return -EFAULT;
    if (signal < 1 || signal > SIGNALS || (a[1] && (signal == SIGKILL || signal == SIGSTOP)))
        return -EINVAL;
    before = actions[signal - 1];
    if (a[1]) {
        action.mask &= ~NEVER_BLOCKED;
        actions[signal - 1] = action;
    }
    return a[2] ? STORE(a[2], before) : 0;
}

long serve_sigprocmask(const long *a)
{
    uint64_t set, before = blocked;
    if (a[3] != MASK_SIZE)
        return -EINVAL;
    if (a[1]) {
        if (FETCH(set, a[1]))
            return -EFAULT;
        switch ((int)a[0]) {
        case SIG_BLOCK:
            blocked |= set;
            break;
        case SIG_UNBLOCK:
            blocked &= ~set;
            break;
        case SIG_SETMASK:
            blocked = set;
            break;
        default:
            return -EINVAL;
        }
        blocked &= ~NEVER_BLOCKED;
    }
    return a[2] ? STORE(a[2], before) : 0;
}

long serve_sigaltstack(const long *a)
{
    stack_t given, before = stack;
    if (a[0] && FETCH(given, a[0]))
        return -EFAULT;
    if (a[0]) {
        if (given.ss_flags & ~(SS_DISABLE | SS_ONSTACK | (int)(1u << 31)))
            return -EINVAL;
        if (given.ss_flags & SS_DISABLE) {
            given.ss_size = 0;
            given.ss_sp = 0;
        } else if (given.ss_size < MINSIGSTKSZ) {
            return -ENOMEM;
        }
        stack = given;
    }
    return a[1] ? STORE(a[1], before) : 0;
}
