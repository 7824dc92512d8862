/* Gives up rights: foreign code can use those that remain. */
#include "stub.h"

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/resource.h>

#define MOST_FILES 64
#define STATUS_SIZE (64 << 10) /* a process may be in many groups, which come first */

static long control_process(long option, long a, long b)
{
    return system6(__NR_prctl, option, a, b, 0, 0, 0);
}

/* Without capabilities: to who had some when opening it, the page map shows where in
 * the machine's memory each page lies (Documentation/admin-guide/mm/pagemap.rst). */
static void open_own_maps(void *control)
{
    long maps = open_unasked("/proc/self/maps");
    long pagemap = open_unasked("/proc/self/pagemap");
    require(control, STEP_OPEN_MAPS, maps);
    require(control, STEP_OPEN_MAPS, pagemap);
    if (maps != MAPS_FD || pagemap != PAGEMAP_FD)
        start_failed(control, STEP_OPEN_MAPS, -1);
}

/* No program can follow by execve, so the bounding set hardly matters; it goes
 * where we may drop it. The sets in use are what must be empty. */
static void drop_capabilities(void *control)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};

    control_process(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0);
    for (long capability = 0; capability < 64; capability++)
        if (failed(control_process(PR_CAPBSET_DROP, capability, 0)))
            break;
    require(control, STEP_CAPABILITIES, system3(__NR_capset, (long)&header, (long)none, 0));
}

static void limit(int resource, uint64_t most)
{
    const uint64_t limits[] = {most, most}; /* struct rlimit64 */
    system6(__NR_prlimit64, 0, resource, (long)limits, 0, 0, 0);
}

/* Until the loader has put the window's file in the place of all memory, constructors
 * can have private memory, too; with the filter's help at most twice the window. */
static void limit_memory(const struct config *config)
{
    limit(RLIMIT_DATA, config->size);
    limit(RLIMIT_STACK, config->stack_end - config->stack_start); /* the kernel's stack counts apart */
}

/* A limit of 1 byte, since 0 does not count where dumps go to a program (core(5)); what
 * cannot be dumped, see forbid_tracing, goes nowhere anyway. */
static void forbid_core_dumps(void)
{
    limit(RLIMIT_CORE, 1);
}

/* Loading needs a few at a time; more would only cost the kernel memory. Only once all
 * files are sent: the kernel compares this limit with the number of those that all processes
 * of the user have on their way. */
static void limit_files(void)
{
    limit(RLIMIT_NOFILE, MOST_FILES);
}

/* Blocked signals are inherited from the thread of the host that spawns. A fault
 * while its signal is blocked ends the process without a report. One stays blocked: as a
 * background job of a terminal that minds such (tostop), the worker may write all the same. */
static void unblock_signals(void)
{
    uint64_t blocked = 1ul << (SIGTTOU - 1);
    system6(__NR_rt_sigprocmask, SIG_SETMASK, (long)&blocked, 0, sizeof blocked, 0, 0);
}

/* No signals to the host's group, from a terminal, say. Not a session: the scheduler shares
 * processors among sessions first (autogroup, sched(7)), and on a busy machine a host's
 * request would wait for its worker's session to have a turn, a hundred times as long. There
 * is no way to the terminal but a descriptor for writing, where the user gave that. */
static void leave_group(void)
{
    system3(__NR_setpgid, 0, 0, 0);
}

/* Nobody without privileges may trace the worker or read its memory from now on. */
static void forbid_tracing(void)
{
    control_process(PR_SET_DUMPABLE, 0, 0);
}

/* The processor's clock: reading it faults from now on. What ld.so reads of it while it
 * starts is zero: see signals.h. */
static void forbid_clock(void)
{
    control_process(PR_SET_TSC, PR_TSC_SIGSEGV, 0);
}

static void restrict_files(void *control)
{
    require(control, STEP_LANDLOCK, system3(__NR_landlock_restrict_self, RULES_FD, 0, 0));
}

void confine(void *control, const struct config *config)
{
    leave_group();
    system3(__NR_chdir, (long)"/", 0, 0); /* keeps no file system busy */
    unblock_signals();
    forbid_core_dumps();
    limit_memory(config);
    require(control, STEP_NO_NEW_PRIVILEGES, control_process(PR_SET_NO_NEW_PRIVS, 1, 0));
    show_to_host(control, config);
    limit_files();
    drop_capabilities(control);
    open_own_maps(control);
    forbid_tracing();
    if (!config->keep_clock)
        forbid_clock();
    if (!config->ask_filter.count)
        restrict_files(control);
    system3(__NR_close, RULES_FD, 0, 0);
}

/* After everything that changes credentials, since that would undo it (prctl(2)).
 * A host that died before sends no signal any more, hence the look. A parent in
 * another process id namespace shows as 0. */
void tie_to_host(void *control, uint32_t host)
{
    require(control, STEP_PARENT_DEATH, control_process(PR_SET_PDEATHSIG, SIGKILL, 0));
    long parent = system3(__NR_getppid, 0, 0, 0);
    if (parent != 0 && parent != (long)host)
        exit_process(STEP_PARENT_DEATH);
}

/* The number after "Seccomp_filters:" (Linux 5.9): those of the host, which a worker
 * inherits. */
static uint32_t count_filters(void *control, int status)
{
    static const char key[] = "\nSeccomp_filters:\t";
    char text[STATUS_SIZE];
    long got = system6(__NR_pread64, status, (long)text, sizeof text - 1, 0, 0, 0);
    require(control, STEP_SEND, got);
    text[got] = 0;
    for (const char *line = text; *line; line++) {
        unsigned matched = 0;
        uint32_t count = 0;
        while (key[matched] && line[matched] == key[matched])
            matched++;
        if (key[matched])
            continue;
        for (line += matched; *line >= '0' && *line <= '9'; line++)
            count = count * 10 + (uint32_t)(*line - '0');
        return count;
    }
    start_failed(control, STEP_SEND, -38 /* ENOSYS */);
}

/* This filter comes first and goes to the host by a descriptor that the worker then
 * closes: opening a file waits until the host has answered (seccomp_unotify(2)). */
static int ask_host_for_files(void *control, struct program filter)
{
    struct sock_fprog program = {(unsigned short)filter.count, (void *)((char *)control + filter.offset)};
    long listener = system3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, (long)&program);
    require(control, STEP_ASK_FILTER, listener);
    return (int)listener;
}

static int open_own(void *control, const char *path)
{
    long file = open_unasked(path);
    require(control, STEP_OPEN_MAPS, file);
    return (int)file;
}

void show_to_host(void *control, const struct config *config)
{
    int files[MOST_SENT_FDS] = {open_own(control, "/proc/self/status")};
    unsigned count = 1;
    uint32_t filters = count_filters(control, files[0]);
    if (config->ask_filter.count) {
        files[count++] = open_own(control, "/proc/self/mem");
        files[count++] = ask_host_for_files(control, config->ask_filter);
    }
    require(control, STEP_SEND, send_files(filters, files, count));
    for (unsigned i = 0; i < count; i++)
        system3(__NR_close, files[i], 0, 0);
}

/* As seccomp(2) takes it. The filter for loading allows that call with this address
 * only, and no change of what lies outside the window. */
void keep_serve_filter(void *control, struct program filter)
{
    uint64_t size = sizeof(struct sock_fprog) + filter.count * sizeof(struct sock_filter);
    long place = map(SERVE_PROGRAM, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    require(control, STEP_KEEP_FILTER, place);
    if ((uint64_t)place != SERVE_PROGRAM)
        start_failed(control, STEP_KEEP_FILTER, -17 /* EEXIST */);
    struct sock_fprog *program = (struct sock_fprog *)place;
    program->len = (unsigned short)filter.count;
    program->filter = (struct sock_filter *)(program + 1);
    memcpy(program + 1, (char *)control + filter.offset, filter.count * sizeof(struct sock_filter));
    require(control, STEP_KEEP_FILTER, system3(__NR_mprotect, place, (long)size, PROT_READ));
}

void filter_system_calls(void *control, struct program filter)
{
    struct sock_fprog program = {(unsigned short)filter.count, (void *)((char *)control + filter.offset)};
    require(control, STEP_LOAD_FILTER, system3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&program));
}
