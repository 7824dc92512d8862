/* Threads: there are none to be had, as on a system that has no room for one more, so that
 * libraries do with one. Processes are another matter, and end the call. */
#define _GNU_SOURCE
#include "server.h"

#include <linux/sched.h>

static long thread_or_process(uint64_t flags)
{
    return flags & CLONE_THREAD && flags & CLONE_VM ? -EAGAIN : DENY;
}

long serve_clone(const long *a)
{
    return thread_or_process((uint64_t)a[0]);
}

long serve_clone3(const long *a)
{
    uint64_t flags;
    if (FETCH(flags, a[0]))
        return -EFAULT;
    return thread_or_process(flags);
}
