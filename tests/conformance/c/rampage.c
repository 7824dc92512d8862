#include "rampage.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "post.h"

#define FRAME_SIZE 128
#define SMALLEST_FRAME 24
#define MOST_LEVELS 256

/* Places that change while the host reads them. tests/rampage.rs names them. */
enum place {
    REQUEST,
    RESPONSE,
    OPERATION,
    EVENT,
    ENTRY,
    ARGUMENTS,
    SLOT,
    DEPTH,
    HOST_SLEEPS,
    WORKER_SLEEPS,
    REPORT,
    CONFIG,
    FRAME_STATUS,
    FRAME,
    CALLBACK_FRAME,
    IN_RECORDS,
    IN_TEXT,
};
_Static_assert(IN_TEXT + 1 == PLACES, "all places are counted");

static Record all_records[RECORDS];
static char all_text[TEXT_SIZE] = "text that may end anywhere";
static uint64_t changed[PLACES];

static uintptr_t window;
static size_t window_size;
static uintptr_t host;
static uint64_t state;
static struct channel *line;
static uint32_t next;  /* the number of the next request */
static uint32_t level_now; /* calls in progress, as the host counts them */
static uint8_t *frames[MOST_LEVELS];
static uint8_t callback_frame[FRAME_SIZE];
static uint32_t first_slot;
static uint32_t open_callbacks;
static int burrows;  /* 1 while it calls back as often as it can */
static int reckless; /* after this answer, changes even what spoils it */

Record *records(void)
{
    return all_records;
}

const char *text(void)
{
    return all_text;
}

const uint64_t *counters(void)
{
    return changed;
}

/* splitmix64 (Steele, Lea and Flood, 2014). */
static uint64_t noise(void)
{
    uint64_t mixed = state += 0x9e3779b97f4a7c15;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    return mixed ^ mixed >> 31;
}

static int one_in(uint64_t many)
{
    return noise() % many == 0;
}

/* Returns small numbers, edges of the window, addresses of the host, sizes that overflow. */
static uint64_t word(void)
{
    switch (noise() % 10) {
    case 0:
        return window + noise() % window_size;
    case 1:
        return window + window_size - noise() % 32;
    case 2:
        return window - noise() % 32;
    case 3:
        return host + noise() % 64;
    case 4:
        return -(noise() % 32);
    case 5:
        return (uint64_t)all_records + noise() % sizeof all_records;
    case 6:
        return 1ull << noise() % 64;
    case 7:
        return noise();
    default:
        return noise() % 4;
    }
}

static void fill(uint8_t *bytes, size_t from, size_t size)
{
    for (size_t i = from; i + 8 <= size; i += 8) {
        uint64_t value = word();
        memcpy(bytes + i, &value, sizeof value);
    }
}

static uint8_t *frame_now(void)
{
    return level_now ? frames[(level_now - 1) % MOST_LEVELS] : callback_frame;
}

static int is_in_window(const void *place, size_t size)
{
    uintptr_t offset = (uintptr_t)place - window;
    return offset < window_size && size <= window_size - offset;
}

/* Changes a word of the request, unless it is the next request, which would be lost. */
static void change_request(void)
{
    uint32_t seen = __atomic_load_n(&line->request, __ATOMIC_RELAXED);
    uint32_t other = (uint32_t)word();
    if (seen != next && other != next)
        __atomic_compare_exchange_n(&line->request, &seen, other, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static void change_message(enum place place)
{
    switch (place) {
    case RESPONSE:
        __atomic_store_n(&line->response, (uint32_t)word() | 0x40000000, __ATOMIC_RELAXED);
        break;
    case OPERATION:
        line->operation = (uint32_t)word();
        break;
    case EVENT:
        line->event = (uint32_t)(noise() % 12);
        break;
    case ENTRY:
        line->entry = word();
        break;
    case ARGUMENTS:
        line->arguments = word();
        break;
    case SLOT:
        line->slot = (uint32_t)(noise() % 128);
        break;
    default:
        line->depth = level_now + (uint32_t)(noise() % 3) - 1;
    }
}

static void change_control(enum place place)
{
    volatile uint32_t *word_of_sleepers = (volatile uint32_t *)sleepers_of((void *)window);
    switch (place) {
    case HOST_SLEEPS:
        word_of_sleepers[0] = (uint32_t)word();
        break;
    case WORKER_SLEEPS:
        word_of_sleepers[1] = 1; /* otherwise nobody wakes a worker that sleeps */
        break;
    case REPORT:
        fill((uint8_t *)report_of((void *)window), noise() % 64 * 8, sizeof(struct report));
        break;
    default:
        fill((uint8_t *)window, noise() % 11 * 8, sizeof(struct config));
    }
}

static void change_data(enum place place)
{
    uint8_t *frame = frame_now();
    switch (place) {
    case FRAME_STATUS:
        if (is_in_window(frame, 8))
            *(volatile uint32_t *)frame = (uint32_t)(noise() % 4);
        break;
    case FRAME:
        if (is_in_window(frame, FRAME_SIZE)) /* an outer call's frame; the next one follows it */
            frame[8 + noise() % (SMALLEST_FRAME - 8)] = (uint8_t)noise();
        break;
    case CALLBACK_FRAME:
        callback_frame[noise() % FRAME_SIZE] = (uint8_t)(noise() % 4);
        break;
    case IN_RECORDS:
        ((volatile uint8_t *)all_records)[noise() % sizeof all_records] = (uint8_t)(noise() % 3);
        break;
    default:
        ((volatile char *)all_text)[noise() % TEXT_SIZE] = (char)(one_in(8) ? 0xc3 : 'a' + noise() % 26);
    }
}

/* Changes one place between an answer and the next request, that is, while the host reads. */
static void change(enum place place)
{
    if (place == REQUEST)
        change_request();
    else if (place <= DEPTH)
        change_message(place);
    else if (place <= CONFIG)
        change_control(place);
    else
        change_data(place);
    if (__atomic_load_n(&line->request, __ATOMIC_RELAXED) != next)
        changed[place]++;
}

/* Returns whether a change of this place spoils an answer that the host has not read yet. */
static int spoils(enum place place)
{
    switch (place) {
    case RESPONSE:
    case OPERATION: /* otherwise this program would not know the request */
    case EVENT:
    case ARGUMENTS:
    case SLOT:
    case DEPTH:
    case HOST_SLEEPS:
    case FRAME_STATUS:
        return 1;
    default:
        return 0;
    }
}

/* Spoils only few answers, since the host then abandons the worker. */
static void change_something(void)
{
    enum place place = (enum place)(one_in(8) ? noise() % PLACES : IN_RECORDS + noise() % 2);
    if (reckless || !spoils(place))
        change(place);
}

static void wait_for_request(void)
{
    uint32_t looks = 0;
    while (__atomic_load_n(&line->request, __ATOMIC_ACQUIRE) != next) {
        change_something();
        /* If both share a processor, the host needs it. */
        if (++looks % 4096 == 0) {
            __atomic_store_n(&sleepers_of((void *)window)->worker, 1, __ATOMIC_SEQ_CST);
            uint32_t seen = __atomic_load_n(&line->request, __ATOMIC_SEQ_CST);
            if (seen != next)
                futex_wait(&line->request, seen);
        }
    }
    next++;
}

static void say(uint32_t event)
{
    reckless = one_in(1000);
    post((void *)window, next - 1, event);
}

static void say_returned(void)
{
    uint8_t *frame = frame_now();
    if (is_in_window(frame, FRAME_SIZE))
        /* The frame of an outer call follows the inner one. */
        fill(frame, one_in(2000) ? 0 : 8, level_now > 1 ? SMALLEST_FRAME : FRAME_SIZE);
    if (level_now)
        level_now--;
    line->depth = level_now;
    say(EVENT_RETURNED);
}

static void say_callback(void)
{
    line->slot = one_in(200) ? (uint32_t)word() : first_slot + open_callbacks;
    line->arguments = one_in(200) ? word() : (uint64_t)callback_frame;
    open_callbacks++;
    line->depth = level_now - 1;
    memset(callback_frame, 0, FRAME_SIZE); /* mostly valid values */
    if (one_in(8))
        fill(callback_frame, 0, FRAME_SIZE);
    say(EVENT_CALLBACK);
}

static void say_anything(void)
{
    line->depth = (uint32_t)word();
    line->slot = (uint32_t)word();
    line->arguments = word();
    say((uint32_t)(noise() % 12));
}

static void say_that_it_ends(void)
{
    struct report *report = report_of((void *)window);
    fill((uint8_t *)report, 0, sizeof *report);
    for (int i = 0; i < REPORT_TEXT; i++)
        report->text[i] = (char)noise();
    say(EVENT_FAULT + (uint32_t)(noise() % 5));
}

static void end(void)
{
    switch (noise() % 4) {
    case 0:
        exit_process((int)noise());
    case 1:
        *(volatile int *)host = 1;
        break;
    case 2:
        system3((long)(noise() % 512), (long)word(), (long)word(), (long)word());
        break;
    default:
        abort();
    }
}

static void never(void)
{
    for (;;)
        change((enum place)(noise() % PLACES));
}

/* Answers twice, or before the request. */
static void say_too_much(void)
{
    say_returned();
    post((void *)window, next - 1 + (uint32_t)(noise() % 3), EVENT_RETURNED);
}

static void answer_request(void)
{
    uint64_t which = noise() % 8000;
    if (burrows && which > 100)
        say_callback();
    else if (which < 2)
        never();
    else if (which < 6)
        end();
    else if (which < 12)
        say_that_it_ends();
    else if (which < 24)
        say_anything();
    else if (which < 30)
        say_too_much();
    else if (which < 34)
        burrows = 1;
    else if (which < 800)
        say_callback();
    else
        say_returned();
    if (burrows == 1 && which >= 30 && which < 34)
        say_callback();
}

static void take_request(void)
{
    wait_for_request();
    if (line->operation == OPERATION_CALL) {
        frames[level_now % MOST_LEVELS] = (uint8_t *)line->arguments;
        level_now++;
    } else if (open_callbacks) {
        open_callbacks--;
    }
}

void rampage(uintptr_t start, size_t size, uintptr_t of_host, uint32_t slot, uint64_t seed)
{
    first_slot = slot;
    window = start;
    window_size = size;
    host = of_host;
    state = seed;
    line = channel_of((void *)start);
    next = line->request + 1;
    level_now = 1;
    frames[0] = (uint8_t *)line->arguments;
    line->depth = level_now = 0;
    post((void *)window, next - 1, EVENT_RETURNED);
    for (;;) {
        take_request();
        answer_request();
    }
}

/* Never called: the worker answers without calling it. */
uint64_t sum(uint64_t a, uint64_t b)
{
    return a + b;
}

Level level(uint32_t number)
{
    return (Level)(number % 3);
}

bool flag(uint32_t number)
{
    return number % 2;
}

Record record(uint32_t number)
{
    return all_records[number % RECORDS];
}

Blob blob(uint32_t number)
{
    return (Blob){(const uint8_t *)all_records, number};
}

int32_t call(HostCall callback, int32_t value)
{
    return callback(value, LOW, false);
}
