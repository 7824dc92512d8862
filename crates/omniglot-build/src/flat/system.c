/* What a C library needs of a system, where there is none. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/times.h>
#include <unistd.h>

typedef void constructor(void);

extern constructor *const omniglot_constructors[];
extern constructor *const omniglot_constructors_end[];

/* The host runs this once, before any shim. */
void omniglot_start(void *nothing)
{
    (void)nothing;
    for (constructor *const *each = omniglot_constructors; each != omniglot_constructors_end; each++)
        (*each)();
}

/* Output goes nowhere, and there is no input. A library's own source may define these. */
static int refuse(char character, FILE *file)
{
    (void)character;
    (void)file;
    return EOF;
}

static int nothing_to_read(FILE *file)
{
    (void)file;
    return EOF;
}

static FILE nowhere = FDEV_SETUP_STREAM(refuse, nothing_to_read, NULL, _FDEV_SETUP_RW);
__attribute__((weak)) FILE *const stdin = &nowhere;
__attribute__((weak)) FILE *const stdout = &nowhere;
__attribute__((weak)) FILE *const stderr = &nowhere;

/* What picolibc's functions ask a system for: without a definition, one function that nobody
 * need call, such as `raise`, would keep everything else from being linked. There are no
 * files, no clock and no random numbers. */
#define REFUSED(declaration)                \
    __attribute__((weak)) declaration       \
    {                                       \
        errno = ENOSYS;                     \
        return -1;                          \
    }

#pragma GCC diagnostic ignored "-Wunused-parameter"
REFUSED(int open(const char *path, int flags, ...))
REFUSED(int close(int file))
REFUSED(ssize_t read(int file, void *into, size_t size))
REFUSED(ssize_t write(int file, const void *from, size_t size))
REFUSED(off_t lseek(int file, off_t offset, int from))
REFUSED(int fstat(int file, struct stat *status))
REFUSED(int stat(const char *path, struct stat *status))
REFUSED(int unlink(const char *path))
REFUSED(int gettimeofday(struct timeval *time, void *zone))
REFUSED(clock_t times(struct tms *times))
REFUSED(int getentropy(void *into, size_t size))
REFUSED(int sigprocmask(int how, const sigset_t *set, sigset_t *old))

#define OWN_PROCESS 1

__attribute__((weak)) pid_t getpid(void)
{
    return OWN_PROCESS;
}

/* A signal that nobody handles ends the call, as `raise` without a handler does. */
__attribute__((weak)) int kill(pid_t process, int signal)
{
    if (process == OWN_PROCESS && signal)
        abort();
    errno = process == OWN_PROCESS ? 0 : ENOSYS;
    return process == OWN_PROCESS ? 0 : -1;
}
