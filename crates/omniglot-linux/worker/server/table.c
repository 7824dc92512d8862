/* Assigns a handler to each system call. One that is not in the table ends the call: no library that only
 * computes starts processes, talks to the network or to other processes, or changes what the
 * kernel does. */
#include "server.h"

#define MOST_NUMBERS 512

struct answer {
    long (*serve)(const long *arguments);
    /* Whether it needs neither memory nor files of the server's, so that it also answers while
     * a library is loaded, where the kernel itself gives those. */
    uint8_t in_loading;
    /* 1 + which argument is a path, for the list of requests. */
    uint8_t path;
};

static const struct answer answers[MOST_NUMBERS] = {
    /* memory */
    [__NR_brk] = {serve_brk, 0, 0},
    [__NR_madvise] = {serve_madvise, 0, 0},
    [__NR_mincore] = {serve_mincore, 0, 0},
    [__NR_mlock] = {serve_mlock, 0, 0},
    [__NR_mlockall] = {serve_not_permitted, 0, 0},
    [__NR_mmap] = {serve_mmap, 0, 0},
    [__NR_mprotect] = {serve_mprotect, 0, 0},
    [__NR_mremap] = {serve_mremap, 0, 0},
    [__NR_msync] = {serve_msync, 0, 0},
    [__NR_munlock] = {serve_mlock, 0, 0},
    [__NR_munmap] = {serve_munmap, 0, 0},
    [__NR_membarrier] = {serve_not_there, 0, 0},
    [__NR_memfd_create] = {serve_not_permitted, 1, 0},
    [__NR_pkey_alloc] = {serve_not_there, 1, 0},

    /* time */
    [__NR_clock_getres] = {serve_clock_getres, 1, 0},
    [__NR_clock_gettime] = {serve_clock_gettime, 1, 0},
    [__NR_clock_nanosleep] = {serve_clock_nanosleep, 1, 0},
    [__NR_futex] = {serve_futex, 0, 0},
    [__NR_getrusage] = {serve_getrusage, 1, 0},
    [__NR_gettimeofday] = {serve_gettimeofday, 1, 0},
    [__NR_nanosleep] = {serve_nanosleep, 1, 0},
    [__NR_times] = {serve_times, 1, 0},
    [__NR_sched_yield] = {serve_zero, 1, 0},

    /* random numbers */
    [__NR_getrandom] = {serve_getrandom, 1, 0},

    /* identity and limits */
    [__NR_get_mempolicy] = {serve_get_mempolicy, 1, 0},
    [__NR_getcpu] = {serve_getcpu, 1, 0},
    [__NR_getegid] = {serve_user, 0, 0},
    [__NR_geteuid] = {serve_user, 0, 0},
    [__NR_getgid] = {serve_user, 0, 0},
    [__NR_getgroups] = {serve_getgroups, 1, 0},
    [__NR_getpgid] = {serve_process, 1, 0},
    [__NR_getpid] = {serve_process, 0, 0},
    [__NR_getppid] = {serve_parent, 1, 0},
    [__NR_getpriority] = {serve_not_permitted, 1, 0},
    [__NR_getresgid] = {serve_getresuid, 1, 0},
    [__NR_getresuid] = {serve_getresuid, 1, 0},
    [__NR_getrlimit] = {serve_getrlimit, 1, 0},
    [__NR_getsid] = {serve_process, 1, 0},
    [__NR_gettid] = {serve_gettid, 0, 0},
    [__NR_getuid] = {serve_user, 0, 0},
    [__NR_prctl] = {serve_prctl, 0, 0},
    [__NR_prlimit64] = {serve_prlimit, 0, 0},
    [__NR_rseq] = {serve_not_there, 0, 0},
    [__NR_sched_getaffinity] = {serve_getaffinity, 1, 0},
    [__NR_sched_getparam] = {serve_not_permitted, 1, 0},
    [__NR_sched_getscheduler] = {serve_zero, 1, 0},
    [__NR_sched_get_priority_max] = {serve_zero, 1, 0},
    [__NR_sched_get_priority_min] = {serve_zero, 1, 0},
    [__NR_sched_setaffinity] = {serve_setaffinity, 1, 0},
    [__NR_sched_setscheduler] = {serve_not_permitted, 1, 0},
    [__NR_set_mempolicy] = {serve_not_permitted, 0, 0},
    [__NR_mbind] = {serve_not_permitted, 0, 0},
    [__NR_set_robust_list] = {serve_zero, 0, 0},
    [__NR_set_tid_address] = {serve_gettid, 0, 0},
    [__NR_sysinfo] = {serve_sysinfo, 1, 0},
    [__NR_umask] = {serve_umask, 1, 0},
    [__NR_uname] = {serve_uname, 0, 0},

    /* signals */
    [__NR_rt_sigaction] = {serve_sigaction, 0, 0},
    [__NR_rt_sigprocmask] = {serve_sigprocmask, 0, 0},
    [__NR_sigaltstack] = {serve_sigaltstack, 0, 0},

    /* threads */
    [__NR_clone] = {serve_clone, 1, 0},
    [__NR_clone3] = {serve_clone3, 1, 0},

    /* open files */
    [__NR_close] = {serve_close, 0, 0},
    [__NR_close_range] = {serve_close_range, 0, 0},
    [__NR_dup] = {serve_dup, 0, 0},
    [__NR_dup3] = {serve_dup3, 0, 0},
    [__NR_fadvise64] = {serve_fadvise, 0, 0},
    [__NR_fcntl] = {serve_fcntl, 0, 0},
    [__NR_fallocate] = {serve_fallocate, 0, 0},
    [__NR_fchmod] = {serve_fchange, 0, 0},
    [__NR_fchown] = {serve_fchange, 0, 0},
    [__NR_fdatasync] = {serve_fsync, 0, 0},
    [__NR_flock] = {serve_flock, 0, 0},
    [__NR_fsync] = {serve_fsync, 0, 0},
    [__NR_ftruncate] = {serve_ftruncate, 0, 0},
    [__NR_getdents64] = {serve_getdents, 0, 0},
    [__NR_getpeername] = {serve_socket_query, 0, 0},
    [__NR_getsockname] = {serve_socket_query, 0, 0},
    [__NR_getsockopt] = {serve_socket_query, 0, 0},
    [__NR_ioctl] = {serve_ioctl, 0, 0},
    [__NR_lseek] = {serve_lseek, 0, 0},
    [__NR_openat] = {serve_openat, 0, 2},
    [__NR_pipe2] = {serve_pipe2, 1, 0},
    [__NR_pread64] = {serve_pread, 0, 0},
    [__NR_preadv] = {serve_preadv, 0, 0},
    [__NR_pwrite64] = {serve_pwrite, 0, 0},
    [__NR_pwritev] = {serve_pwritev, 0, 0},
    [__NR_read] = {serve_read, 0, 0},
    [__NR_readv] = {serve_readv, 0, 0},
    [__NR_write] = {serve_write, 1, 0},
    [__NR_writev] = {serve_writev, 1, 0},

    /* names */
    [__NR_chdir] = {serve_chdir, 0, 1},
    [__NR_fchmodat] = {serve_changeat, 0, 2},
    [__NR_utimensat] = {serve_changeat, 0, 2},
    [__NR_faccessat] = {serve_faccessat, 0, 2},
    [439 /* faccessat2 */] = {serve_faccessat, 0, 2},
    [__NR_fstat] = {serve_fstat, 0, 0},
    [__NR_fstatfs] = {serve_fstatfs, 0, 0},
    [__NR_getcwd] = {serve_getcwd, 0, 0},
    [__NR_newfstatat] = {serve_newfstatat, 0, 2},
    [__NR_readlinkat] = {serve_readlinkat, 0, 2},
    [__NR_statfs] = {serve_statfs, 1, 1},
    [__NR_statx] = {serve_statx, 0, 2},
    [__NR_truncate] = {serve_truncate, 0, 1},
    [__NR_unlinkat] = {serve_unlinkat, 0, 2},
    [__NR_mkdirat] = {serve_mkdirat, 0, 2},
    [__NR_renameat] = {serve_renameat, 0, 2},
    [__NR_renameat2] = {serve_renameat2, 0, 2},

#ifdef __NR_open /* calls of which newer architectures have another form only */
    [__NR_access] = {serve_access, 0, 1},
    [__NR_chmod] = {serve_change, 0, 1},
    [__NR_dup2] = {serve_dup2, 0, 0},
    [__NR_getpgrp] = {serve_process, 1, 0},
    [__NR_lstat] = {serve_lstat, 0, 1},
    [__NR_mkdir] = {serve_mkdir, 0, 1},
    [__NR_open] = {serve_open, 0, 1},
    [__NR_pipe] = {serve_pipe, 1, 0},
    [__NR_readlink] = {serve_readlink, 0, 1},
    [__NR_rename] = {serve_rename, 0, 1},
    [__NR_rmdir] = {serve_rmdir, 0, 1},
    [__NR_stat] = {serve_stat, 0, 1},
    [__NR_time] = {serve_time, 1, 0},
    [__NR_unlink] = {serve_unlink, 0, 1},
#endif
};

struct server server;

/* An empty string where the call names no file. What is too long is cut. */
void path_of_call(uint32_t number, const long *arguments, char *path)
{
    const struct answer *answer = number < MOST_NUMBERS ? &answers[number] : 0;
    *path = 0;
    if (answer && answer->path)
        copy_string(path, (const char *)arguments[answer->path - 1], REQUEST_PATH);
    path[REQUEST_PATH - 1] = 0;
}

static void note(uint32_t number, const long *arguments, long result)
{
    char path[REQUEST_PATH] = "";
    path_of_call(number, arguments, path);
    note_request(number, result, path);
}

/* What is not provided, as opposed to what was asked wrongly. */
static int is_absence(long result)
{
    return result == -ENOENT || result == -EACCES || result == -EPERM || result == -ENOSYS || result == -EAGAIN || result == -ENFILE;
}

long answer_call(uint32_t number, const long *arguments, int is_loading)
{
    const struct answer *answer = number < MOST_NUMBERS ? &answers[number] : 0;
    if (!server.world || !answer || !answer->serve || (is_loading && !answer->in_loading))
        return DENY;
    lock_server();
    long result = answer->serve(arguments);
    if (failed(result))
        note(number, arguments, result);
    unlock_server();
    if (!failed(result))
        return result;
    return server.world->is_strict && is_absence(result) ? DENY : result;
}

/* As early as it can be, since constructors ask, too. */
void start_server(void *control, const struct config *config)
{
    server.control = control;
    server.config = config;
    server.page_size = config->page_size;
    server.window_start = config->base;
    server.window_end = config->base + config->size;
    server.stack_size = config->stack_end - config->stack_start;
#ifndef IN_REGION /* where no thread is the kernel's */
    server.thread = system3(__NR_gettid, 0, 0, 0);
#endif
    server.world = world_of(control);
    start_clock();
    start_scratch(config->scratch);
    take_seed();
}
