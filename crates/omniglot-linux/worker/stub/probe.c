/* Trying system calls out. A filter of system calls may end the process that makes one that it does
 * not know, so a host under such a filter has this program find out (enabled/probes.rs). */
#include "stub.h"

#include <linux/seccomp.h>

#define LANDLOCK_VERSION 1 /* LANDLOCK_CREATE_RULESET_VERSION of linux/landlock.h, Linux 5.13 */
#define NR_LANDLOCK_CREATE_RULESET 444
#define LOWEST_ERROR 100

static long has_action(uint32_t action)
{
    return system3(__NR_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, (long)&action);
}

/* Both actions that end something, and the ones that only refuse. */
static long has_filters(void)
{
    long result = has_action(SECCOMP_RET_TRAP);
    if (!failed(result))
        result = has_action(SECCOMP_RET_ERRNO);
    return failed(result) ? result : has_action(SECCOMP_RET_KILL_PROCESS);
}

/* Keeps the processors that this process has. */
static long has_affinity(void)
{
    uint64_t processors[16];
    long size = system3(__NR_sched_getaffinity, 0, sizeof processors, (long)processors);
    return failed(size) ? size : system3(__NR_sched_setaffinity, 0, size, (long)processors);
}

static long try(char what)
{
    switch (what) {
    case 'l':
        return system3(NR_LANDLOCK_CREATE_RULESET, 0, 0, LANDLOCK_VERSION);
    case 's':
        return has_filters();
    case 'n':
        return has_action(SECCOMP_RET_USER_NOTIF);
    case 'a':
        return has_affinity();
    case 'k':
        return system3(__NR_pkey_alloc, 0, 0, 0);
    default:
        return -38; /* ENOSYS */
    }
}

/* Workers are started without arguments but their name. The status is the result, or the error's
 * number and LOWEST_ERROR. */
void probe(const uint64_t *kernel_stack)
{
    if (kernel_stack[0] < 2)
        return;
    long result = try(*(const char *)kernel_stack[2]);
    if (failed(result))
        exit_process((int)(LOWEST_ERROR - result));
    exit_process((int)(result < LOWEST_ERROR ? result : LOWEST_ERROR - 1));
}
