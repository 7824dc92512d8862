/* A library that attacks while it is loaded. ATTACK names the attack. Each attack ends the
 * process by abort() if it was stopped, and returns otherwise, so loading succeeds only if the
 * attack did. */
#define _GNU_SOURCE
#include "constructor.h"

/* The host's own layout, so that the attacks stay up to date. */
#include "post.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum attack {
    CRASH,
    LOOP,
    EXIT,
    RECURSE,
    READ_FILE,
    WRITE_FILE,
    REMOVE_FILE,
    LIST_PROCESSES,
    OPEN_OWN_MEMORY,
    OPEN_HOST_MEMORY,
    WRITE_HOST_MEMORY,
    FORK,
    RAW_FORK,
    EXECUTE,
    THREAD,
    SIGNAL_HOST,
    TRACE_HOST,
    LIMIT_HOST,
    OUTLIVE_HOST,
    CONNECT,
    NEW_NAMESPACE,
    FORGE_NOTHING,
    FORGE_WILD_IMAGE,
    FORGE_NOISE_IMAGE,
    FORGE_CALLBACK,
    FORGE_REPORT,
    FORGE_IMAGE,
    FORGE_IN_TIME,
    KEEP_LOADING,
};

static void *idle(void *argument)
{
    return argument;
}

static int recurse(volatile char *outer);
/* A volatile pointer hides the recursion from the compiler, which would warn of it. */
static int (*volatile recurse_more)(volatile char *outer) = recurse;

static int recurse(volatile char *outer)
{
    volatile char room[512];
    room[0] = *outer;
    return recurse_more(room) + room[0];
}

static int open_host_memory(const struct config *config)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%u/mem", config->host);
    return open(path, O_RDWR);
}

static long write_host_memory(const struct config *config)
{
    uint64_t word = 0;
    struct iovec from = {&word, sizeof word};
    struct iovec into = {(void *)0x10000, sizeof word};
    return process_vm_writev((pid_t)config->host, &from, 1, &into, 1, 0);
}

static long limit_host(const struct config *config)
{
    uint64_t limits[2] = {1, 1};
    return syscall(SYS_prlimit64, config->host, 7 /* RLIMIT_NOFILE */, limits, NULL);
}

/* Reports an event in the loader's place, and never returns. */
__attribute__((noreturn)) static void forge(void *control, uint32_t event, uint64_t arguments)
{
    struct channel *channel = channel_of(control);
    channel->arguments = arguments;
    post(control, channel->request, event);
    for (;;)
        relax();
}

static long add_filter(const struct sock_fprog *program)
{
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program);
}

/* The same with the filter for calls installed, without which the host looks no further. */
__attribute__((noreturn)) static void forge_filtered(void *control, uint64_t image)
{
    add_filter((const struct sock_fprog *)SERVE_PROGRAM);
    forge(control, EVENT_READY, image);
}

/* Before loading is complete the host sees only the stack, so the arguments are there. */
__attribute__((noreturn)) static void forge_noise_image(void *control)
{
    uint8_t noise[4096];
    memset(noise, 0xa7, sizeof noise);
    __asm__ volatile("" : : "r"(noise) : "memory");
    forge_filtered(control, (uint64_t)noise);
}

/* The shims' table, which the loader reports after it has loaded everything. */
struct image {
    uint32_t abi, shim_count, slot_count, reserved;
    const uint64_t *shims, *trampolines;
    void *callback;
};
extern const struct image omniglot_image;

/* A copy of the table with arbitrary addresses. */
__attribute__((noreturn)) static void forge_image(void *control)
{
    uint64_t addresses[1024];
    struct image image = omniglot_image;
    memset(addresses, 0x41, sizeof addresses);
    image.shims = addresses;
    image.trampolines = addresses;
    __asm__ volatile("" : : "r"(addresses), "r"(&image) : "memory");
    forge(control, EVENT_READY, (uint64_t)&image);
}

__attribute__((noreturn)) static void forge_report(void *control)
{
    struct report *report = report_of(control);
    memset(report, 0xff, sizeof *report);
    forge(control, EVENT_LOAD_FAILED, 0);
}

/* Reports the end of loading as the loader would, with the filter for calls installed, and then
 * tries what is only allowed while loading. */
__attribute__((noreturn)) static void forge_in_time(void *control)
{
    struct channel *channel = channel_of(control);
    struct image image = omniglot_image;
    add_filter((const struct sock_fprog *)SERVE_PROGRAM);
    __asm__ volatile("" : : "r"(&image) : "memory");
    channel->arguments = (uint64_t)&image;
    post(control, channel->request, EVENT_READY);
    while (channel->request == channel->response)
        relax();
    syscall(SYS_openat, AT_FDCWD, "/etc/ld.so.cache", O_RDONLY);
    for (;;)
        relax();
}

/* Makes the loader's calls that end loading seem to succeed without being executed. */
static int keep_loading(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    return add_filter(&program) == 0;
}

/* Returns whether the attack succeeded. */
static int attack(enum attack which, void *control)
{
    const struct config *config = control;
    pthread_t thread;
    char first = 0;

    switch (which) {
    case CRASH:
        return *(volatile int *)(uintptr_t)config->host;
    case LOOP:
        for (;;)
            __asm__ volatile("");
    case EXIT:
        exit(0);
    case RECURSE:
        return recurse(&first);
    case READ_FILE:
        return open("/etc/passwd", O_RDONLY) >= 0;
    case WRITE_FILE:
        return open("/tmp/omniglot-constructor", O_WRONLY | O_CREAT, 0600) >= 0;
    case REMOVE_FILE:
        return unlink("/tmp/omniglot-constructor") == 0;
    case LIST_PROCESSES:
        return open("/proc", O_RDONLY | O_DIRECTORY) >= 0;
    case OPEN_OWN_MEMORY:
        return open("/proc/self/mem", O_RDWR) >= 0;
    case OPEN_HOST_MEMORY:
        return open_host_memory(config) >= 0;
    case WRITE_HOST_MEMORY:
        return write_host_memory(config) >= 0;
    case FORK:
        return fork() >= 0;
    case RAW_FORK:
#ifdef SYS_fork
        return syscall(SYS_fork) >= 0;
#else
        return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) >= 0;
#endif
    case EXECUTE:
        return execl("/bin/sh", "sh", "-c", "exit", (char *)NULL) == 0;
    case THREAD:
        return pthread_create(&thread, NULL, idle, NULL) == 0;
    case SIGNAL_HOST:
        return kill((pid_t)config->host, SIGURG) == 0; /* ignored by default */
    case TRACE_HOST:
        return ptrace(PTRACE_SEIZE, config->host, NULL, NULL) == 0;
    case LIMIT_HOST:
        return limit_host(config) == 0;
    case OUTLIVE_HOST:
        return prctl(PR_SET_PDEATHSIG, 0) == 0;
    case CONNECT:
        return socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
    case NEW_NAMESPACE:
        return syscall(SYS_unshare, 0x10000000 /* CLONE_NEWUSER */) == 0;
    case FORGE_NOTHING:
        forge_filtered(control, 0);
    case FORGE_WILD_IMAGE:
        forge_filtered(control, config->base + config->size - 1);
    case FORGE_NOISE_IMAGE:
        forge_noise_image(control);
    case FORGE_CALLBACK:
        forge(control, EVENT_CALLBACK, config->base);
    case FORGE_REPORT:
        forge_report(control);
    case FORGE_IMAGE:
        forge_image(control);
    case FORGE_IN_TIME:
        forge_in_time(control);
    case KEEP_LOADING:
        return keep_loading();
    }
    return 0;
}

__attribute__((constructor)) static void load(int count, char **arguments)
{
    /* The loader's argument is the window's first byte. Without it no attack is tried, loading
     * succeeds, and the test fails. */
    if (count == 2 && !attack(ATTACK, arguments[1]))
        abort();
}

int32_t loaded(void)
{
    return 1;
}
