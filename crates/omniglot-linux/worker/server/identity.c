/* Identity of user, process and machine: fixed answers, the same on every machine. */
#define _GNU_SOURCE
#include "server.h"

#include <linux/mempolicy.h>
#include <linux/prctl.h>
#include <linux/sysinfo.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#define PROCESS 2
#define PARENT 1
#define USER 1000
#define NAME_SIZE 16

/* One processor for each thread that there can be, so that nobody starts more; while a library
 * is loaded there can be one only. */
static unsigned long processors_there(void)
{
    return server.thread_count < 63 ? (2ul << server.thread_count) - 1 : -1ul;
}

long serve_zero(const long *a)
{
    (void)a;
    return 0;
}

long serve_not_permitted(const long *a)
{
    (void)a;
    return -EPERM;
}

long serve_not_there(const long *a)
{
    (void)a;
    return -ENOSYS;
}

long serve_process(const long *a)
{
    (void)a;
    return PROCESS;
}

long serve_parent(const long *a)
{
    (void)a;
    return PARENT;
}

long serve_user(const long *a)
{
    (void)a;
    return USER;
}

long serve_getresuid(const long *a)
{
    uint32_t user = USER;
    return STORE(a[0], user) || STORE(a[1], user) || STORE(a[2], user) ? -EFAULT : 0;
}

long serve_getgroups(const long *a)
{
    return (int)a[0] < 0 ? -EINVAL : 0;
}

long serve_uname(const long *a)
{
    static const struct utsname name = {"Linux", "omniglot", "6.1.0", "#1 SMP", MACHINE_NAME, "(none)"};
    return STORE(a[0], name);
}

long serve_sysinfo(const long *a)
{
    uint64_t size = server.window_end - server.window_start;
    struct sysinfo info = {0};
    info.uptime = 1000;
    info.totalram = info.freeram = size;
    info.procs = 1;
    info.mem_unit = 1;
    return STORE(a[0], info);
}

static int is_own(long process)
{
    return (int)process == 0 || (int)process == PROCESS || (int)process == (int)server.thread || (int)process == serve_gettid(&process);
}

long serve_getaffinity(const long *a)
{
    unsigned long processors = processors_there();
    if ((unsigned)a[1] < sizeof processors || (unsigned)a[1] % sizeof processors)
        return -EINVAL;
    if (!is_own(a[0]))
        return -ESRCH;
    return STORE(a[2], processors) ? -EFAULT : (long)sizeof processors;
}

long serve_setaffinity(const long *a)
{
    unsigned long processors = 0;
    if (copy_bytes(&processors, (void *)a[2], (unsigned)a[1] < sizeof processors ? (unsigned)a[1] : sizeof processors))
        return -EFAULT;
    if (!is_own(a[0]))
        return -ESRCH;
    return processors & processors_there() ? 0 : -EINVAL;
}

long serve_getcpu(const long *a)
{
    unsigned zero = 0;
    if (a[0] && STORE(a[0], zero))
        return -EFAULT;
    return a[1] && STORE(a[1], zero) ? -EFAULT : 0;
}

static struct rlimit limit_of(int resource)
{
    switch (resource) {
    case RLIMIT_STACK:
        return (struct rlimit){server.stack_size, server.stack_size};
    case RLIMIT_CORE:
        return (struct rlimit){0, 0};
    case RLIMIT_NPROC:
        return (struct rlimit){1, 1};
    case RLIMIT_NOFILE:
        return (struct rlimit){256, 256};
    case RLIMIT_NICE:
    case RLIMIT_RTPRIO:
        return (struct rlimit){0, 0};
    default:
        return (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
    }
}

/* Limits can be read; none can be changed. */
long serve_getrlimit(const long *a)
{
    if ((unsigned)a[0] >= RLIM_NLIMITS)
        return -EINVAL;
    struct rlimit limit = limit_of((int)a[0]);
    return STORE(a[1], limit);
}

long serve_prlimit(const long *a)
{
    const long own[] = {a[1], a[3]};
    if (!is_own(a[0]))
        return DENY;
    if ((unsigned)a[1] >= RLIM_NLIMITS)
        return -EINVAL;
    if (a[2])
        return -EPERM;
    return a[3] ? serve_getrlimit(own) : 0;
}

long serve_getrusage(const long *a)
{
    struct rusage usage = {0};
    if ((int)a[0] != RUSAGE_SELF && (int)a[0] != RUSAGE_CHILDREN && (int)a[0] != RUSAGE_THREAD)
        return -EINVAL;
    return STORE(a[1], usage);
}

/* Memory of one node, without a policy. */
long serve_get_mempolicy(const long *a)
{
    int policy = MPOL_DEFAULT;
    uint64_t nodes = 0;
    uint64_t flags = (uint64_t)a[4];
    if (flags & ~(uint64_t)(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED))
        return -EINVAL;
    if (flags & MPOL_F_MEMS_ALLOWED)
        nodes = 1;
    if (a[0] && STORE(a[0], policy))
        return -EFAULT;
    if (!a[1])
        return 0;
    if ((uint64_t)a[2] < 1)
        return -EINVAL;
    return STORE(a[1], nodes);
}

long serve_umask(const long *a)
{
    static long mask = 022;
    long before = mask;
    mask = a[0] & 0777;
    return before;
}

/* The thread's name, and requests that have no effect here but should succeed. */
long serve_prctl(const long *a)
{
    static char name[NAME_SIZE] = "omniglot";
    char given[NAME_SIZE] = {0};
    switch ((int)a[0]) {
    case PR_SET_NAME:
        if (copy_string(given, (const char *)a[1], sizeof given) == -EFAULT)
            return -EFAULT;
        given[NAME_SIZE - 1] = 0;
        return copy_bytes(name, given, sizeof name);
    case PR_GET_NAME:
        return copy_bytes((void *)a[1], name, sizeof name);
    case PR_GET_DUMPABLE:
    case PR_SET_VMA:
        return 0;
    case PR_GET_NO_NEW_PRIVS:
        return 1;
    default:
        return -EPERM;
    }
}
