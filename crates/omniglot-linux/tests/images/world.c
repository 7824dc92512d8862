/* A library that makes any system call, with words that the test gives: the shims after the two
 * that every image has. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "image.h"

/* What the kernel says, or the negated error number. */
static int64_t raw(const uint64_t *words)
{
    int64_t result;
    register uint64_t r10 __asm__("r10") = words[4];
    register uint64_t r8 __asm__("r8") = words[5];
    register uint64_t r9 __asm__("r9") = words[6];
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(words[0]), "D"(words[1]), "S"(words[2]), "d"(words[3]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

/* Makes b calls; at a are, for each, its number, six arguments and room for its result. */
static void shim_calls(void *f)
{
    struct frame *frame = f;
    uint64_t *words = (uint64_t *)frame->a;
    for (uint64_t i = 0; i < frame->b; i++, words += 8)
        words[7] = (uint64_t)raw(words);
}

/* Makes a system call with registers full of patterns, and stores what they are afterwards: rbx r12
 * r13 r14 rbp rdi rsi rdx r10 r8 r9 r15, what lies below the stack pointer, and the vector registers. */
void call_with(const uint64_t *words, const void *lanes, void *lanes_after, uint64_t *after) __attribute__((visibility("hidden")));

__asm__(".text\n"
        ".hidden call_with\n"
        "call_with:\n"
        "    push %rbx\n"
        "    push %rbp\n"
        "    push %r12\n"
        "    push %r13\n"
        "    push %r14\n"
        "    push %r15\n"
        "    push %rdx\n"
        "    push %rcx\n"
        "    mov %rdi, %r15\n"
        "    .irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"
        "    movupd 16 * \\number(%rsi), %xmm\\number\n"
        "    .endr\n"
        "    movl $0x12345678, -4(%rsp)\n"
        "    mov $0x1111, %ebx\n"
        "    mov $0x2222, %r12d\n"
        "    mov $0x3333, %r13d\n"
        "    mov $0x4444, %r14d\n"
        "    mov $0x5555, %ebp\n"
        "    mov (%r15), %rax\n"
        "    mov 8(%r15), %rdi\n"
        "    mov 16(%r15), %rsi\n"
        "    mov 24(%r15), %rdx\n"
        "    mov 32(%r15), %r10\n"
        "    mov 40(%r15), %r8\n"
        "    mov 48(%r15), %r9\n"
        "    syscall\n"
        "    mov (%rsp), %rcx\n"
        "    mov %rbx, (%rcx)\n"
        "    mov %r12, 8(%rcx)\n"
        "    mov %r13, 16(%rcx)\n"
        "    mov %r14, 24(%rcx)\n"
        "    mov %rbp, 32(%rcx)\n"
        "    mov %rdi, 40(%rcx)\n"
        "    mov %rsi, 48(%rcx)\n"
        "    mov %rdx, 56(%rcx)\n"
        "    mov %r10, 64(%rcx)\n"
        "    mov %r8, 72(%rcx)\n"
        "    mov %r9, 80(%rcx)\n"
        "    mov %r15, 88(%rcx)\n"
        "    movslq -4(%rsp), %rax\n"
        "    mov %rax, 96(%rcx)\n"
        "    mov 8(%rsp), %rcx\n"
        "    .irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"
        "    movupd %xmm\\number, 16 * \\number(%rcx)\n"
        "    .endr\n"
        "    add $16, %rsp\n"
        "    pop %r15\n"
        "    pop %r14\n"
        "    pop %r13\n"
        "    pop %r12\n"
        "    pop %rbp\n"
        "    pop %rbx\n"
        "    ret\n");

/* Whether the system call at a, its number and six arguments, leaves all registers but three as they
 * are: a bit for each that it changed. */
static void shim_registers(void *f)
{
    struct frame *frame = f;
    const uint64_t *words = (const uint64_t *)frame->a;
    const uint64_t before[] = {0x1111, 0x2222, 0x3333, 0x4444, 0x5555, words[1], words[2], words[3],
                               words[4], words[5], words[6], frame->a, 0x12345678};
    unsigned char lanes[256], lanes_after[256];
    uint64_t after[13], changed = 0;
    for (int i = 0; i < 256; i++)
        lanes[i] = (unsigned char)(i + 1);
    call_with(words, lanes, lanes_after, after);
    for (int i = 0; i < 13; i++)
        changed |= (uint64_t)(before[i] != after[i]) << i;
    changed |= (uint64_t)(memcmp(lanes, lanes_after, sizeof lanes) != 0) << 13;
    frame->result = changed;
}

static void *nothing(void *unused)
{
    return unused;
}

/* What pthread_create says. */
static void shim_thread(void *f)
{
    pthread_t thread;
    ((struct frame *)f)->result = (uint64_t)pthread_create(&thread, NULL, nothing, NULL);
}

/* Allocates a bytes, b times, touches all, frees all; the result is how many there were. */
static void shim_churn(void *f)
{
    struct frame *frame = f;
    char **blocks = calloc(frame->b, sizeof *blocks);
    frame->result = 0;
    for (uint64_t i = 0; blocks && i < frame->b; i++) {
        blocks[i] = malloc(frame->a);
        if (blocks[i]) {
            memset(blocks[i], 0x5a, frame->a);
            frame->result++;
        }
    }
    for (uint64_t i = 0; blocks && i < frame->b; i++)
        free(blocks[i]);
    free(blocks);
}

/* How many of the a bytes of fresh memory are not zero. */
static void shim_zeros(void *f)
{
    struct frame *frame = f;
    unsigned char *fresh = calloc(1, frame->a);
    frame->result = 0;
    for (uint64_t i = 0; fresh && i < frame->a; i++)
        frame->result += fresh[i] != 0;
    free(fresh);
}

static void ignore(int signal)
{
    (void)signal;
}

/* A handler of its own, and then a fault. */
static void shim_handler(void *f)
{
    (void)f;
    if (signal(SIGSEGV, ignore) != SIG_ERR)
        *(volatile int *)8 = 1;
}

/* Says a line to stream a, 1 or 2, and with b goes down. */
static void shim_say(void *f)
{
    struct frame *frame = f;
    FILE *stream = frame->a == 1 ? stdout : stderr;
    frame->result = (uint64_t)fprintf(stream, "line %d \x1b[31m of stream %d\n", 1, (int)frame->a);
    fflush(stream);
    if (frame->b)
        abort();
}

/* Reads the file whose name is at a with stdio: the sum of its bytes, or -1. */
static void shim_sum(void *f)
{
    struct frame *frame = f;
    FILE *file = fopen((const char *)frame->a, "rb");
    uint64_t sum = 0;
    for (int byte; file && (byte = getc(file)) != EOF;)
        sum += (unsigned)byte;
    frame->result = file ? sum : (uint64_t)-1;
    if (file)
        fclose(file);
}

/* The value of the variable whose name is at a, copied to b; whether there is one. */
static void shim_environment(void *f)
{
    struct frame *frame = f;
    const char *value = getenv((const char *)frame->a);
    if (value)
        strcpy((char *)frame->b, value);
    frame->result = value != NULL;
}

/* Functions of the library's that ask through the C library: for the network, and, deep in it, for
 * the file whose name is given. */
__attribute__((visibility("default"), noinline)) int asks_for_network(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) + 1;
}

__attribute__((visibility("default"), noinline)) int asks_for_file(const char *name)
{
    FILE *file = fopen(name, "r");
    return file ? fclose(file) : 1;
}

/* With a the name of a file, or for the network. */
static void shim_ask(void *f)
{
    struct frame *frame = f;
    frame->result = (uint64_t)(frame->a ? asks_for_file((const char *)frame->a) : asks_for_network());
}

/* The call `socket` with a as the stack and the frame pointer. */
static void shim_stray(void *f)
{
    struct frame *frame = f;
    __asm__ volatile("mov %0, %%rsp\n"
                     "mov %0, %%rbp\n"
                     "mov $41, %%eax\n"
                     "syscall\n"
                     "ud2\n"
                     :
                     : "r"(frame->a)
                     : "memory");
}

#define MOST_THREADS 100

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned arrived, expected;
static __thread unsigned own = 7;
static volatile int is_open;

static void add_one(void)
{
    pthread_mutex_lock(&mutex);
    arrived++;
    pthread_cond_broadcast(&changed);
    while (!is_open)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
}

/* Has memory and variables of its own. */
static void *work(void *number)
{
    char *memory = malloc(300000);
    int is_fresh = own == 7;
    own = (unsigned)(uint64_t)number;
    memset(memory, 1, 300000);
    add_one();
    free(memory);
    return (void *)(uint64_t)(is_fresh && own == (unsigned)(uint64_t)number);
}

/* Starts a threads, or as many as there are, b times; all run at the same time. How many started
 * each time, and 1000000 for each that did its work. */
static void shim_threads(void *f)
{
    struct frame *frame = f;
    pthread_t threads[MOST_THREADS];
    frame->result = 0;
    for (uint64_t round = 0; round < frame->b; round++) {
        expected = arrived = 0;
        is_open = 0;
        while (expected < frame->a && !pthread_create(&threads[expected], NULL, work, (void *)(uint64_t)expected))
            expected++;
        pthread_mutex_lock(&mutex);
        while (arrived < expected)
            pthread_cond_wait(&changed, &mutex);
        is_open = 1;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&mutex);
        for (unsigned i = 0; i < expected; i++) {
            void *said;
            pthread_join(threads[i], &said);
            frame->result += 1000000 * (uint64_t)said;
        }
        frame->result += expected;
    }
}

/* Waits for a milliseconds on a condition that nobody changes, or, with b, one thread does at once;
 * what the wait says. */
static void *change(void *unused)
{
    pthread_mutex_lock(&mutex);
    is_open = 1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    return unused;
}

static void shim_wait(void *f)
{
    struct frame *frame = f;
    struct timespec time;
    pthread_t thread;
    int said = 0;
    is_open = 0;
    clock_gettime(CLOCK_REALTIME, &time);
    time.tv_sec += (time_t)(frame->a / 1000);
    time.tv_nsec += (long)(frame->a % 1000) * 1000000;
    time.tv_sec += time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    pthread_mutex_lock(&mutex);
    if (frame->b && pthread_create(&thread, NULL, change, NULL))
        abort();
    while (!is_open && !said)
        said = pthread_cond_timedwait(&changed, &mutex, &time);
    pthread_mutex_unlock(&mutex);
    if (frame->b)
        pthread_join(thread, NULL);
    frame->result = (uint64_t)said;
}

/* Has a thread of its own make system calls, as shim_calls; with b 0 it calls the host, with
 * UINT64_MAX it goes on for ever. */
static void *stray(void *f)
{
    struct frame *frame = f;
    if (!frame->b)
        callback(0, frame);
    for (volatile uint64_t i = 0; frame->b == UINT64_MAX; i++)
        is_open = 1;
    shim_calls(frame);
    return NULL;
}

static void shim_elsewhere(void *f)
{
    static struct frame kept;
    pthread_t thread;
    kept = *(struct frame *)f;
    is_open = 0;
    if (pthread_create(&thread, NULL, stray, &kept))
        abort();
    if (kept.b != UINT64_MAX)
        pthread_join(thread, NULL);
    while (kept.b == UINT64_MAX && !is_open)
        ;
}

/* What a program does with temporary files: 0, or the line of the step that failed. With a the last
 * step asks for that many bytes more than are there. */
#define STEP(condition) do { if (!(condition)) { frame->result = __LINE__; return; } } while (0)

static void shim_scratch(void *f)
{
    struct frame *frame = f;
    char name[] = "/tmp/nameXXXXXX", text[32] = "";
    int file = mkstemp(name);
    STEP(file >= 0);
    STEP(write(file, "hello, world", 12) == 12 && lseek(file, 7, SEEK_SET) == 7);
    STEP(read(file, text, sizeof text) == 5 && !memcmp(text, "world", 5));
    STEP(ftruncate(file, 5) == 0 && ftruncate(file, 10) == 0);
    STEP(pread(file, text, sizeof text, 3) == 7 && !memcmp(text, "lo\0\0\0\0\0", 7));
    STEP(unlink(name) == 0 && access(name, F_OK) < 0 && errno == ENOENT);
    STEP(pread(file, text, 5, 0) == 5 && !memcmp(text, "hello", 5) && close(file) == 0);
    FILE *stream = tmpfile();
    STEP(stream && fprintf(stream, "%d", 12345) == 5 && fseek(stream, 1, SEEK_SET) == 0);
    STEP(fgets(text, sizeof text, stream) && !strcmp(text, "2345") && fclose(stream) == 0);
    STEP(mkdir("/tmp/d", 0700) == 0 && mkdir("/tmp/d", 0700) < 0 && errno == EEXIST);
    STEP((stream = fopen("/tmp/d/one", "w")) && fputs("1", stream) >= 0 && fclose(stream) == 0);
    STEP(rmdir("/tmp/d") < 0 && errno == ENOTEMPTY && rename("/tmp/d", "/tmp/e") == 0);
    STEP((stream = fopen("/tmp/e/one", "a+")) && fputs("2", stream) >= 0 && fflush(stream) == 0);
    rewind(stream);
    STEP(fgets(text, sizeof text, stream) && !strcmp(text, "12") && fclose(stream) == 0);
    STEP(fopen("/new", "w") == NULL && errno == EACCES);
    STEP(remove("/tmp/e/one") == 0 && remove("/tmp/e") == 0 && remove("/tmp") < 0);
    file = open("/tmp/large", O_RDWR | O_CREAT, 0600);
    STEP(file >= 0 && ftruncate(file, (off_t)frame->a) < 0 && errno == ENOSPC);
    STEP(ftruncate(file, (off_t)frame->a / 2) == 0 && close(file) == 0 && unlink("/tmp/large") == 0);
    frame->result = 0;
}

/* Loads the library whose path is at a; whether it was loaded, and its end is as b says. */
static void shim_load(void *f)
{
    struct frame *frame = f;
    void *library = dlopen((const char *)frame->a, RTLD_NOW);
    int (*function)(int) = library ? (int (*)(int))dlsym(library, "extra_function") : NULL;
    if (!library)
        fprintf(stderr, "%s\n", dlerror());
    frame->result = function ? (uint64_t)function(1) : 0;
}

/* Makes code, and has it run, which gives 42; with a, it is first written and then made code. Then
 * the memory is given back, and new memory at that place can be written. */
static void shim_execute(void *f)
{
    static const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3}; /* mov $42, %eax; ret */
    struct frame *frame = f;
    int all = PROT_READ | PROT_WRITE | PROT_EXEC, first = frame->a ? PROT_READ | PROT_WRITE : all;
    char *memory = mmap(NULL, 65536, first, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    frame->result = 0;
    if (memory == MAP_FAILED)
        return;
    memcpy(memory, code, sizeof code);
    if (frame->a && mprotect(memory, 65536, PROT_READ | PROT_EXEC))
        return;
    frame->result = (uint64_t)((int (*)(void))memory)();
    munmap(memory, 65536);
    memory = mmap(memory, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(memory, 1, 65536);
    munmap(memory, 65536);
}

/* Makes the system call at a for ever. */
static void shim_again(void *f)
{
    for (;;)
        raw((const uint64_t *)((struct frame *)f)->a);
}

static void (*const shims[])(void *) = {
    shim_malloc, shim_free, shim_calls, shim_registers, shim_thread, shim_churn, shim_zeros, shim_handler,
    shim_say, shim_sum, shim_environment, shim_ask, shim_stray, shim_threads, shim_wait, shim_elsewhere,
    shim_scratch, shim_load, shim_execute, shim_again,
};

IMAGE(0, NULL);
