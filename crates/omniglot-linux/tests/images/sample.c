/* A foreign library with its shims in one file, in the ABI that omniglot-build
 * generates. All shims share one frame. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "image.h"

#ifdef __x86_64__
#include "sample_x86_64.h"
#else
#include "sample_aarch64.h"
#endif

struct callback_frame {
    uint64_t value;
    uint64_t result;
};

static void shim_add(void *f)
{
    struct frame *frame = f;
    frame->result = frame->a + frame->b;
}

/* Calls the callback in slot a with the value b; the result is the callback's, plus 1. */
static void shim_call_back(void *f)
{
    struct frame *frame = f;
    struct callback_frame arguments = {frame->b, 0};
    callback((uint32_t)frame->a, &arguments);
    frame->result = arguments.result + 1;
}

static void shim_null(void *f)
{
    (void)f;
    *(volatile int *)8 = 1;
}

static int overflow(volatile int *before)
{
    volatile int room[256];
    room[0] = *before + 1;
    return overflow(room) + room[0];
}

static void shim_overflow(void *f)
{
    volatile int start = 0;
    ((struct frame *)f)->result = (uint64_t)overflow(&start);
}

static void shim_abort(void *f)
{
    (void)f;
    abort();
}

static void shim_exit(void *f)
{
    exit((int)((struct frame *)f)->a);
}

static void shim_quick_exit(void *f)
{
    _exit((int)((struct frame *)f)->a);
}

static void shim_loop(void *f)
{
    (void)f;
    for (volatile int forever = 1; forever;)
        ;
}

/* The system call a with small arguments; the result is the kernel's answer. */
static void shim_syscall(void *f)
{
    struct frame *frame = f;
    long result = syscall((long)frame->a, frame->b, 0, 0, 0, 0, 0);
    frame->result = (uint64_t)(result < 0 ? -errno : result);
}

static jmp_buf guard;

/* Status 1 if the callback in slot a leaves by longjmp, as a generated guard does. */
static void shim_guarded(void *f)
{
    struct frame *frame = f;
    if (setjmp(guard)) {
        frame->status = 1;
        return;
    }
    struct callback_frame arguments = {frame->b, 0};
    callback((uint32_t)frame->a, &arguments);
    frame->result = arguments.result + 1;
}

static void shim_jump(void *f)
{
    (void)f;
    longjmp(guard, 1);
}

static void shim_divide(void *f)
{
    struct frame *frame = f;
    volatile int64_t zero = (int64_t)frame->b;
    frame->result = (uint64_t)((int64_t)frame->a / zero);
}

/* How many blocks of a bytes there are, all of which are written and freed again. */
static void shim_exhaust(void *f)
{
    struct frame *frame = f;
    void **list = NULL;
    frame->result = 0;
    for (void **block; (block = malloc(frame->a)); frame->result++) {
        memset(block, 0x5a, frame->a < 64 ? frame->a : 64);
        *block = list;
        list = block;
    }
    while (list) {
        void **next = *list;
        free(list);
        list = next;
    }
}

static int data = 42;
static int zeros[5000];
static const char words[] = "read-only words";

/* The address of something: 0 data, 1 zeros, 2 words, 3 this function, 4 a local. */
static void shim_address(void *f)
{
    struct frame *frame = f;
    const void *things[] = {&data, zeros, words, (const void *)shim_address, &frame};
    frame->result = (uint64_t)things[frame->a];
}

static void shim_write(void *f)
{
    struct frame *frame = f;
    *(volatile uint64_t *)frame->a = frame->b;
}

/* Waits by spinning, a million steps at a time. */
static void shim_work(void *f)
{
    for (volatile uint64_t i = ((struct frame *)f)->a * 1000000; i; i--)
        ;
}

static void shim_open(void *f)
{
    ((struct frame *)f)->result = (uint64_t)open("/etc/passwd", O_RDONLY);
}

static void shim_fork(void *f)
{
    ((struct frame *)f)->result = (uint64_t)fork();
}

static void shim_time(void *f)
{
    ((struct frame *)f)->result = (uint64_t)time(NULL);
}

static void shim_print(void *f)
{
    struct frame *frame = f;
    frame->result = (uint64_t)write((int)frame->a, "hello from C\n", 13);
}

static void shim_random(void *f)
{
    struct frame *frame = f;
    uint64_t value;
    frame->result = (uint64_t)syscall(SYS_getrandom, &value, sizeof value, 0);
}

static void shim_jump_to_null(void *f)
{
    void (*volatile nowhere)(void *) = NULL;
    nowhere(f);
}

static void shim_execve(void *f)
{
    char *none[] = {NULL};
    ((struct frame *)f)->result = (uint64_t)execve("/bin/true", none, none);
}

static __thread uint64_t counter = 1;

/* Counts calls in a thread-local variable, before and after a callback in slot a. */
static void shim_count(void *f)
{
    struct frame *frame = f;
    struct callback_frame arguments = {frame->b, 0};
    counter++;
    callback((uint32_t)frame->a, &arguments);
    frame->result = ++counter;
}

/* A futex call with command a and a time in seconds b. */
static void shim_wait(void *f)
{
    struct frame *frame = f;
    struct timespec time = {(time_t)frame->b, 0};
    uint32_t word = 0;
    frame->result = (uint64_t)(syscall(SYS_futex, &word, frame->a, 0, &time, NULL, -1) < 0 ? -errno : 0);
}

static char flood[1 << 20];

static void fill_flood(void)
{
    for (size_t i = 0; i < sizeof flood; i++)
        flood[i] = (char)('a' + i % 23);
}

/* Writes a bytes of the alphabet to standard error, however many calls that takes; the result
 * is their number, or the negated error number. */
static void shim_flood(void *f)
{
    struct frame *frame = f;
    uint64_t done = 0;
    fill_flood();
    while (done < frame->a) {
        ssize_t written = write(2, flood + done, frame->a - done);
        if (written < 0) {
            frame->result = (uint64_t)-errno;
            return;
        }
        done += (uint64_t)written;
    }
    frame->result = done;
}

/* Writes a pieces of b bytes in one call; the result is the kernel's. */
static void shim_pieces(void *f)
{
    struct frame *frame = f;
    static struct iovec pieces[1024];
    fill_flood();
    for (uint64_t i = 0; i < frame->a; i++)
        pieces[i] = (struct iovec){flood + i * frame->b % sizeof flood, frame->b};
    ssize_t written = writev(2, pieces, (int)frame->a);
    frame->result = (uint64_t)(written < 0 ? -errno : written);
}

/* Faults with a list of libraries that never ends, where one looks for the place. */
static void shim_break_names(void *f)
{
    struct link_map *map = _r_debug.r_map;
    map->l_next = map;
    shim_illegal(f);
}

static void shim_call_back_for_ever(void *f)
{
    struct callback_frame arguments = {((struct frame *)f)->b, 0};
    for (;;)
        callback((uint32_t)((struct frame *)f)->a, &arguments);
}

/* As shim_work, in single steps. */
static void shim_step(void *f)
{
    for (volatile uint64_t i = ((struct frame *)f)->a; i; i--)
        ;
}

/* A generator of random numbers that is seeded once, while the library is loaded. */
static uint64_t seed;

__attribute__((constructor)) static void sow(void)
{
    if (syscall(SYS_getrandom, &seed, sizeof seed, 0) != sizeof seed)
        abort();
}

/* What a library that is lucky in one life would like to know in the next. */
static void shim_luck(void *f)
{
    struct frame *frame = f;
    static char variable;
    uint64_t number = 0;
    switch (frame->a) {
    case 0: number = canary(); break; /* the stack protector's */
    case 1: number = pointer_guard(); break;
    case 2: memcpy(&number, (const void *)getauxval(AT_RANDOM), sizeof number); break;
    case 3: number = seed; break;
    case 4: number = (uint64_t)malloc(100); break;
    case 5: number = (uint64_t)&number; break;
    case 6: number = (uint64_t)&variable; break;
    }
    frame->result = number;
}

static void (*const shims[])(void *) = {
    shim_malloc, shim_free,   shim_add,    shim_call_back, shim_null,   shim_overflow, shim_abort,
    shim_exit,   shim_quick_exit, shim_loop, shim_syscall, shim_guarded, shim_jump,    shim_divide,
    shim_illegal, shim_trap,  shim_exhaust, shim_address,  shim_write,  shim_work,     shim_open,
    shim_fork,   shim_time,   shim_print,  shim_random,    shim_jump_to_null, shim_execve,
    shim_disturb, shim_victim, shim_jump_to, shim_count,  shim_thread_pointer, shim_base_in_disguise,
    shim_pointer_in_disguise, shim_flood, shim_pieces,
    shim_break_names, shim_call_back_for_ever, shim_step, shim_luck, shim_wait, shim_cycles,
};

static void trampoline_0(void) { struct callback_frame none = {0, 0}; callback(0, &none); }
static void trampoline_1(void) { struct callback_frame none = {1, 0}; callback(1, &none); }
static void (*const trampolines[])(void) = {trampoline_0, trampoline_1};

IMAGE(2, trampolines);

#ifdef CONSTRUCTOR
__attribute__((constructor)) static void constructor(int count, char **arguments)
{
    (void)count;
    (void)arguments; /* as the loader's main has them */
    CONSTRUCTOR;
}
#endif
#ifdef MISSING
int MISSING(int);
int use_missing(void) { return MISSING(1); }
#endif
