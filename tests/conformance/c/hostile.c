#define _GNU_SOURCE
#include "hostile.h"

#include "post.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Hides from the compiler that an attack is undefined behaviour. */
#define OPAQUE(value) __asm__ volatile("" : "+r"(value))

#if defined(__x86_64__)
#include "hostile_x86_64.h"
#elif defined(__aarch64__)
#include "hostile_aarch64.h"
#endif

int32_t add(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

/* Memory. */

uint64_t peek_at(uintptr_t address)
{
    return *(volatile uint64_t *)address;
}

void write_at(uintptr_t address, uint64_t value)
{
    *(volatile uint64_t *)address = value;
}

void fill_at(uintptr_t address, size_t size, uint8_t byte)
{
    volatile uint8_t *into = (volatile uint8_t *)address;
    for (size_t i = 0; i < size; i++)
        into[i] = byte;
}

void steal(uintptr_t from, uint8_t *into, size_t size)
{
    for (size_t i = 0; i < size; i++)
        into[i] = ((volatile uint8_t *)from)[i];
}

void jump_to(uintptr_t address)
{
    ((void (*)(void))address)();
}

void free_at(uintptr_t address)
{
    free((void *)address);
}

void free_twice(void)
{
    void *block = malloc(2000);
    OPAQUE(block);
    void *again = block;
    OPAQUE(again);
    free(block);
    free(again);
}

void overrun_heap(void)
{
    uint8_t *blocks[16];
    for (size_t i = 0; i < 16; i++)
        blocks[i] = malloc(24);
    fill_at((uintptr_t)blocks[0], 16 * 64, 0xff);
    for (size_t i = 0; i < 16; i++)
        free(blocks[i]);
    free(malloc(1 << 20));
}

struct block {
    struct block *previous;
};

size_t exhaust_memory(size_t size, bool touch)
{
    struct block *last = NULL;
    size_t count = 0;
    for (;;) {
        struct block *block = malloc(size);
        if (!block)
            break;
        if (touch)
            memset(block, 0x55, size);
        block->previous = last;
        last = block;
        count++;
    }
    while (last) {
        struct block *previous = last->previous;
        free(last);
        last = previous;
    }
    return count;
}

void smash_stack(size_t size)
{
    uint8_t small[8];
    uint8_t *start = small;
    OPAQUE(start);
    fill_at((uintptr_t)start, size, 0x41);
}

static uint32_t descend(volatile uint8_t *outer);
/* A volatile pointer hides the recursion from the compiler, which would warn of it. */
static uint32_t (*volatile descend_more)(volatile uint8_t *outer) = descend;

static uint32_t descend(volatile uint8_t *outer)
{
    volatile uint8_t room[1024];
    room[0] = *outer;
    return descend_more(room) + room[0];
}

void recurse(void)
{
    uint8_t first = 0;
    descend(&first);
}

static jmp_buf dead;

__attribute__((noinline)) static void die(void)
{
    volatile uint8_t room[256];
    room[0] = 1;
    if (setjmp(dead))
        write_at(room[0], 1);
}

void jump_to_dead_frame(void)
{
    die();
    longjmp(dead, 1);
}

/* Values. */

Lamp lamp_of_bits(int32_t bits)
{
    return (Lamp)bits;
}

static Panel good_panel(void)
{
    return (Panel){
        .id = 1,
        .lamp = ON,
        .lit = true,
        .row = {OFF, BLINKING},
        .bits = {true, false, true},
        .sockets = {{true, OFF}, {false, ON}},
    };
}

static void set_flag(bool *flag, int32_t bits)
{
    memset(flag, bits, sizeof *flag);
}

static void spoil(Panel *panel, uint32_t place, int32_t bits)
{
    if (place == 0)
        panel->lamp = (Lamp)bits;
    else if (place == 1)
        set_flag(&panel->lit, bits);
    else if (place < 4)
        panel->row[place - 2] = (Lamp)bits;
    else if (place < 7)
        set_flag(&panel->bits[place - 4], bits);
    else if (place < 9)
        set_flag(&panel->sockets[place - 7].used, bits);
    else
        panel->sockets[place - 9].lamp = (Lamp)bits;
}

Panel spoiled_panel(uint32_t place, int32_t bits)
{
    Panel panel = good_panel();
    spoil(&panel, place, bits);
    return panel;
}

void lamp_into(Lamp *into, int32_t bits)
{
    *into = (Lamp)bits;
}

void flag_into(bool *into, uint8_t bits)
{
    set_flag(into, bits);
}

void panel_into(Panel *into, uint32_t place, int32_t bits)
{
    *into = spoiled_panel(place, bits);
}

void panels_into(Panel *into, size_t count, uint32_t place, int32_t bits)
{
    for (size_t i = 0; i < count; i++)
        into[i] = good_panel();
    if (count)
        spoil(&into[count - 1], place, bits);
}

/* A linear congruential generator with Knuth's constants. */
static uint8_t noise(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint8_t)(*state >> 56);
}

void noise_into(void *into, size_t size, uint32_t seed)
{
    uint64_t state = seed;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)into)[i] = noise(&state);
}

Panel noise_panel(uint32_t seed)
{
    Panel panel;
    noise_into(&panel, sizeof panel, seed);
    return panel;
}

void call_with_lamp(LampCallback callback, int32_t bits)
{
    callback((Lamp)bits);
}

void call_with_panel(PanelCallback callback, uint32_t place, int32_t bits)
{
    callback(spoiled_panel(place, bits));
}

Blob blob_of(uintptr_t data, size_t size)
{
    return (Blob){(const uint8_t *)data, size};
}

const char *text_at(uintptr_t address)
{
    return (const char *)address;
}

const char *endless_text(size_t size)
{
    char *text = malloc(size);
    if (text)
        memset(text, 'x', size);
    return text;
}

/* Callbacks. */

static HostCallback kept;

void keep(HostCallback callback)
{
    kept = callback;
}

int32_t call_kept(int32_t value)
{
    return kept(value);
}

int32_t call_address(uintptr_t address, int32_t value)
{
    return ((HostCallback)address)(value);
}

int32_t call_host(HostCallback callback, int32_t value)
{
    return callback(value);
}

void call_for_ever(HostCallback callback)
{
    for (;;)
        callback(0);
}

/* The start of the shims' table, which the loader fills in: the function that calls the host. */
struct image_start {
    uint32_t abi, shim_count, slot_count, reserved;
    void (*const *shims)(void *frame);
    void (*const *trampolines)(void);
    void (**callback)(uint32_t slot, void *arguments);
};
extern const struct image_start omniglot_image;

void call_slot(uint32_t slot, uintptr_t arguments)
{
    (*omniglot_image.callback)(slot, (void *)arguments);
}

static jmp_buf exit_of_outer;

int32_t open_exit(HostCallback callback)
{
    if (setjmp(exit_of_outer))
        return -1;
    return callback(0);
}

void leave_by_exit(void)
{
    longjmp(exit_of_outer, 1);
}

/* The call channel. This includes the host's own layout, so that the attacks stay up to date. */

static struct channel *channel_at(uintptr_t window)
{
    return channel_of((void *)window);
}

__attribute__((noreturn)) static void stay(void)
{
    for (;;)
        relax();
}

static void answer_with(uintptr_t window, uint32_t event, uint32_t ahead, bool staying)
{
    post((void *)window, channel_at(window)->request + ahead, event);
    if (staying)
        stay();
}

void forge_answer(uintptr_t window, uint32_t event, uint32_t depth, int32_t ahead, bool staying)
{
    channel_at(window)->depth = depth;
    answer_with(window, event, (uint32_t)ahead, staying);
}

void forge_callback(uintptr_t window, uint32_t slot, uintptr_t arguments, bool staying)
{
    struct channel *channel = channel_at(window);
    channel->slot = slot;
    channel->arguments = arguments;
    channel->depth = 0;
    answer_with(window, EVENT_CALLBACK, 0, staying);
}

void forge_report(uintptr_t window, uint32_t event, uint32_t signal, uint64_t number, uint8_t text)
{
    struct report *report = report_of((void *)window);
    report->address = number;
    report->instruction = number;
    report->number = number;
    report->signal = signal;
    report->error = (int32_t)number;
    memset(report->text, text, sizeof report->text);
    answer_with(window, event, 0, true);
}

static void answer_returned(uintptr_t window)
{
    struct channel *channel = channel_at(window);
    channel->depth = 0;
    post((void *)window, channel->request, EVENT_RETURNED);
}

/* Waits long enough for the host to see the last write. */
static void rest(void)
{
    for (int i = 0; i < 100; i++)
        relax();
}

void flip_after_answer(uintptr_t window, uint8_t *bytes, size_t size, uint8_t one, uint8_t other)
{
    answer_returned(window);
    for (;;) {
        fill_at((uintptr_t)bytes, size, one);
        rest();
        fill_at((uintptr_t)bytes, size, other);
        rest();
    }
}

void write_after_answer(uintptr_t window, uint64_t *words, size_t count)
{
    answer_returned(window);
    for (uint64_t value = 1;; value++)
        for (size_t i = 0; i < count; i++)
            ((volatile uint64_t *)words)[i] = value;
}

/* Answers one request with noise, in the call's frame: the host gives its address. */
static void answer_one(uintptr_t window, uint64_t *state)
{
    struct channel *channel = channel_at(window);
    uint8_t *frame = (uint8_t *)channel->arguments;
    for (size_t i = sizeof(uint64_t); i < 128; i++)
        frame[i] = noise(state);
    answer_returned(window);
}

void answer_noise(uintptr_t window, uint32_t seed)
{
    struct channel *channel = channel_at(window);
    uint64_t state = seed;
    uint32_t answered = channel->request - 1;
    for (;;) {
        if (__atomic_load_n(&channel->request, __ATOMIC_ACQUIRE) == answered)
            continue;
        answered = channel->request;
        answer_one(window, &state);
    }
}

void overwrite_control(uintptr_t window, uint8_t byte, bool staying)
{
    fill_at(window, CHANNEL_OFFSET + sizeof(struct channel), byte);
    if (staying)
        stay();
}

void flip_sleep_flags(uintptr_t window, uint32_t rounds)
{
    volatile struct channel *channel = channel_at(window);
    volatile struct sleepers *sleepers = sleepers_of((void *)window);
    for (uint32_t i = 0; i < rounds; i++) {
        sleepers->host = i;
        sleepers->worker = ~i;
        channel->response = channel->request - 1 - (i & 1);
        futex_wake((uint32_t *)&channel->response);
    }
}

void overwrite_requests(uintptr_t window, uint32_t request)
{
    channel_at(window)->request = request;
}

void spoil_own_frame(uintptr_t window, size_t offset, uint64_t word, bool staying)
{
    struct channel *channel = channel_at(window);
    memcpy((char *)channel->arguments + offset, &word, sizeof word);
    if (!staying)
        return;
    answer_returned(window);
    stay();
}

void loop_forever(void)
{
    for (;;)
        __asm__ volatile("");
}

/* System calls. */

long system_call(long number, long a, long b, long c, long d, long e, long f)
{
    return system6(number, a, b, c, d, e, f);
}

void leave(Way way, int32_t status)
{
    switch (way) {
    case BY_EXIT:
        exit(status);
    case BY_IMMEDIATE_EXIT:
        _exit(status);
    case BY_QUICK_EXIT:
        quick_exit(status);
    case BY_ABORT:
        abort();
    case BY_ASSERT:
        assert(status == -1);
        break;
    case BY_SIGNAL:
        raise(SIGKILL);
        break;
    }
}

int32_t try_fork(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    return child;
}

int32_t try_vfork(void)
{
    long child = vfork_by_number();
    if (child == 0)
        _exit(0);
    return (int32_t)child;
}

static void *idle(void *argument)
{
    return argument;
}

int32_t try_thread(void)
{
    pthread_t thread;
    return pthread_create(&thread, NULL, idle, NULL);
}

int32_t try_exec(const char *path)
{
    execl(path, path, (char *)NULL);
    return -errno;
}

int32_t try_open(const char *path)
{
    return open(path, O_RDWR);
}

int32_t try_socket(int32_t family, int32_t type)
{
    return socket(family, type, 0);
}

int32_t try_kill(int32_t process)
{
    return kill(process, SIGKILL);
}

static void ignore(int signal)
{
    (void)signal;
}

int32_t try_handler(void)
{
    return signal(SIGSEGV, ignore) == SIG_ERR ? -1 : 0;
}

int32_t try_trace(int32_t process)
{
    return (int32_t)ptrace(PTRACE_SEIZE, process, NULL, NULL);
}

int32_t try_write_process(int32_t process, uintptr_t address, uint64_t word)
{
    struct iovec from = {&word, sizeof word};
    struct iovec into = {(void *)address, sizeof word};
    return (int32_t)process_vm_writev(process, &from, 1, &into, 1, 0);
}

int32_t try_sleep(void)
{
    return usleep(1);
}

/* Returns the start of generated code, if memory can be both written and executed. */
int32_t try_executable(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED)
        return 1;
    static uint8_t data[8192];
    uintptr_t start = ((uintptr_t)data + 4095) & ~(uintptr_t)4095;
    return mprotect((void *)start, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) == 0;
}

void serve_from_register(uintptr_t window, uint64_t secret)
{
    struct channel *channel = channel_at(window);
    uint32_t answered = channel->request;
    answer_returned(window);
    for (;;) {
        __asm__ volatile("" : "+r"(secret));
        uint32_t request = __atomic_load_n(&channel->request, __ATOMIC_ACQUIRE);
        if (request == answered)
            continue;
        answered = request;
        ((uint64_t *)channel->arguments)[2] = secret; /* the result, after header and argument */
        answer_returned(window);
    }
}
