/* Functions that musl's C library needs to run in a region, and functions that objects use which
   were compiled with glibc's headers. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern void omniglot_sfi_gate_abort(void);
extern void __init_libc(char **environment, char *name);
extern int __init_tp(void *thread);

extern const char *omniglot_sfi_variables(size_t *count);
extern const uint64_t *omniglot_sfi_seed(void);

static const uint64_t seed[2] = {0x243f6a8885a308d3, 0x13198a2e03707344};

/* There is one thread. The rewriter reserves memory for its thread control block. */
void __init_tls(size_t *auxiliary)
{
    void *thread;
    (void)auxiliary;
    __asm__("mov %%fs:0, %0" : "=r"(thread));
    __init_tp(thread);
    /* The thread's id, behind six words (musl 1.2, struct pthread), which recursive locks compare.
       The system call that sets it may have failed. */
    int *number = (int *)thread + 12;
    if (*number <= 0)
        *number = 1;
}

int __set_thread_area(void *thread)
{
    (void)thread;
    return 1; /* The thread pointer is already set, and there will be no other threads. */
}

void omniglot_sfi_start_libc(void)
{
    enum { MOST_VARIABLES = 100 }; /* as many as the host permits */
    static const void *vector[MOST_VARIABLES + 8];
    size_t count;
    const char *variable = omniglot_sfi_variables(&count);
    const uint64_t *random = omniglot_sfi_seed();
    if (count > MOST_VARIABLES)
        count = MOST_VARIABLES;
    for (size_t i = 0; i < count; i++) {
        vector[i] = variable;
        variable += strlen(variable) + 1;
    }
    /* Behind the environment the auxiliary vector: AT_PAGESZ, AT_RANDOM. */
    const void *auxiliary[] = {0, (void *)6, (void *)4096, (void *)25, random ? random : seed, 0, 0};
    memcpy(vector + count, auxiliary, sizeof auxiliary);
    __init_libc((char **)vector, "library");
}

/* What stands for a system call. */
static long ask(long number, long first, long second)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(first), "S"(second) : "rcx", "r11", "memory");
    return result;
}

/* The C library's own would first lay out thread-local data, which is at fixed places here. The
   server is asked, since it keeps what was asked for. */
int pthread_create(void *thread, const void *attributes, void *(*start)(void *), void *argument)
{
    enum { CLONE = 56, VM_AND_THREAD = 0x10100 };
    (void)thread, (void)attributes, (void)start, (void)argument;
    ask(CLONE, VM_AND_THREAD, 0);
    return EAGAIN;
}

void abort(void)
{
    for (;;)
        omniglot_sfi_gate_abort();
}

/* Ends the call, with a status that the host sees: exit_group(2). */
void _Exit(int status)
{
    ask(231, status, 0);
    abort();
}

/* Fortified functions abort instead of writing behind an object. */
static void check(size_t length, size_t room)
{
    if (length > room)
        abort();
}

void *__memcpy_chk(void *to, const void *from, size_t length, size_t room)
{
    check(length, room);
    return memcpy(to, from, length);
}

void *__memmove_chk(void *to, const void *from, size_t length, size_t room)
{
    check(length, room);
    return memmove(to, from, length);
}

void *__mempcpy_chk(void *to, const void *from, size_t length, size_t room)
{
    check(length, room);
    return (char *)memcpy(to, from, length) + length;
}

void *__memset_chk(void *to, int byte, size_t length, size_t room)
{
    check(length, room);
    return memset(to, byte, length);
}

void __explicit_bzero_chk(void *to, size_t length, size_t room)
{
    check(length, room);
    memset(to, 0, length);
    __asm__ volatile("" : : "r"(to) : "memory");
}

char *__strcpy_chk(char *to, const char *from, size_t room)
{
    size_t length = strlen(from) + 1;
    check(length, room);
    return memcpy(to, from, length);
}

char *__stpcpy_chk(char *to, const char *from, size_t room)
{
    return __strcpy_chk(to, from, room) + strlen(from);
}

char *__strncpy_chk(char *to, const char *from, size_t length, size_t room)
{
    check(length, room);
    return strncpy(to, from, length);
}

char *__strcat_chk(char *to, const char *from, size_t room)
{
    size_t before = strlen(to);
    check(before, room);
    __strcpy_chk(to + before, from, room - before);
    return to;
}

char *__strncat_chk(char *to, const char *from, size_t length, size_t room)
{
    size_t before = strlen(to), more = strnlen(from, length);
    check(before + more + 1, room);
    memcpy(to + before, from, more);
    to[before + more] = 0;
    return to;
}

int __vsnprintf_chk(char *to, size_t length, int flag, size_t room, const char *format, va_list list)
{
    (void)flag;
    check(length, room);
    return vsnprintf(to, length, format, list);
}

int __snprintf_chk(char *to, size_t length, int flag, size_t room, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int result = __vsnprintf_chk(to, length, flag, room, format, list);
    va_end(list);
    return result;
}

int __vsprintf_chk(char *to, int flag, size_t room, const char *format, va_list list)
{
    (void)flag;
    int result = vsnprintf(to, room, format, list);
    if (result >= 0)
        check((size_t)result + 1, room);
    return result;
}

int __sprintf_chk(char *to, int flag, size_t room, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int result = __vsprintf_chk(to, flag, room, format, list);
    va_end(list);
    return result;
}

int __vfprintf_chk(FILE *file, int flag, const char *format, va_list list)
{
    (void)flag;
    return vfprintf(file, format, list);
}

int __fprintf_chk(FILE *file, int flag, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int result = __vfprintf_chk(file, flag, format, list);
    va_end(list);
    return result;
}

int __vprintf_chk(int flag, const char *format, va_list list)
{
    (void)flag;
    return vprintf(format, list);
}

int __printf_chk(int flag, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int result = __vprintf_chk(flag, format, list);
    va_end(list);
    return result;
}

char *__fgets_chk(char *to, size_t room, int length, FILE *file)
{
    check((size_t)length, room);
    return fgets(to, length, file);
}

size_t __fread_chk(void *to, size_t room, size_t size, size_t count, FILE *file)
{
    if (size && count > room / size)
        abort();
    return fread(to, size, count, file);
}

ssize_t __read_chk(int file, void *to, size_t length, size_t room)
{
    check(length, room);
    return read(file, to, length);
}

ssize_t __pread_chk(int file, void *to, size_t length, off_t at, size_t room)
{
    check(length, room);
    return pread(file, to, length, at);
}

ssize_t __pread64_chk(int file, void *to, size_t length, off_t at, size_t room)
{
    return __pread_chk(file, to, length, at, room);
}

ssize_t __readlink_chk(const char *path, char *to, size_t length, size_t room)
{
    check(length, room);
    return readlink(path, to, length);
}

char *__realpath_chk(const char *path, char *to, size_t room)
{
    check(4096, room); /* PATH_MAX */
    return realpath(path, to);
}

char *__getcwd_chk(char *to, size_t length, size_t room)
{
    check(length, room);
    return getcwd(to, length);
}

int __vasprintf_chk(char **to, int flag, const char *format, va_list list)
{
    extern int vasprintf(char **, const char *, va_list);
    (void)flag;
    return vasprintf(to, format, list);
}

int __asprintf_chk(char **to, int flag, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int result = __vasprintf_chk(to, flag, format, list);
    va_end(list);
    return result;
}

/* The index of a file in an fd_set of 1024 bits, in words. */
long __fdelt_chk(long file)
{
    if (file < 0 || file >= 1024)
        abort();
    return file / 64;
}

/* Calls of open() that create no file. */
int __open_2(const char *path, int flags) { return open(path, flags); }
int __open64_2(const char *path, int flags) { return open(path, flags); }

void __longjmp_chk(void *buffer, int value)
{
    extern void longjmp(void *, int);
    longjmp(buffer, value);
}

/* Newer names for the same. */
long __isoc23_strtol(const char *text, char **end, int base) { return strtol(text, end, base); }
long long __isoc23_strtoll(const char *text, char **end, int base) { return strtoll(text, end, base); }
unsigned long __isoc23_strtoul(const char *text, char **end, int base) { return strtoul(text, end, base); }
unsigned long long __isoc23_strtoull(const char *text, char **end, int base)
{
    return strtoull(text, end, base);
}

long long strtoll_l(const char *text, char **end, int base, void *locale)
{
    (void)locale; /* numbers are written in the same way in all of musl's locales */
    return strtoll(text, end, base);
}

unsigned long long strtoull_l(const char *text, char **end, int base, void *locale)
{
    (void)locale;
    return strtoull(text, end, base);
}

/* Numbers of devices: 12 bits of the major one from bit 8, and 20 from bit 32; of the minor one 8
   from bit 0, and 24 from bit 12. */
unsigned gnu_dev_major(unsigned long device)
{
    return (unsigned)(device >> 8 & 0xfff) | (unsigned)(device >> 32 & 0xfffff000);
}

unsigned gnu_dev_minor(unsigned long device)
{
    return (unsigned)(device & 0xff) | (unsigned)(device >> 12 & 0xffffff00);
}

unsigned long gnu_dev_makedev(unsigned major, unsigned minor)
{
    return (major & 0xfffUL) << 8 | (major & 0xfffff000UL) << 32 | (minor & 0xffUL)
           | (minor & 0xffffff00UL) << 12;
}

int __isoc23_sscanf(const char *text, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int result = vsscanf(text, format, list);
    va_end(list);
    return result;
}

int fcntl64(int file, int command, ...)
{
    extern int fcntl(int, int, ...);
    va_list list;
    va_start(list, command);
    void *argument = va_arg(list, void *);
    va_end(list);
    return fcntl(file, command, argument);
}

void arc4random_buf(void *to, size_t length)
{
    extern long getrandom(void *, size_t, unsigned);
    unsigned char *at = to;
    while (length) {
        long some = getrandom(at, length, 0);
        if (some <= 0)
            abort();
        at += some;
        length -= (size_t)some;
    }
}

uint32_t arc4random(void)
{
    uint32_t number;
    arc4random_buf(&number, sizeof number);
    return number;
}
