/* Serving calls: one loop per level of nesting, each on the C stack above the
 * callback that it serves. */
#include "loader.h"
#include "spinning.h"

#include "../server/server.h"

#include <signal.h>
#include <string.h>

static struct channel *channel;
static uint32_t answered; /* the number of the last request that was answered */
static uint32_t running;  /* the depth of the innermost call that runs */
static struct spinning spinning;

void answer(uint32_t event)
{
    answered = channel_of(control)->request;
    post(control, answered, event);
}

static int has_request(void)
{
    return __atomic_load_n(&channel->request, __ATOMIC_ACQUIRE) != answered;
}

static int spin(uint32_t limit)
{
    for (uint32_t i = 0; i < limit; i++) {
        if (has_request())
            return 1;
        relax();
    }
    return 0;
}

/* See post.h for the order of the announcement and the last look. */
static void sleep_until_request(void)
{
    uint32_t *sleeps = &sleepers_of(control)->worker;
    channel->processor = processor_number();
    do {
        __atomic_store_n(sleeps, 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&channel->request, __ATOMIC_SEQ_CST) == answered)
            futex_wait(&channel->request, answered);
    } while (!has_request());
    __atomic_store_n(sleeps, 0, __ATOMIC_RELAXED);
}

static void wait_for_request(void)
{
    uint32_t limit = spinning_limit(&spinning);
    if (spin(limit)) {
        spinning_succeeded(&spinning, limit);
        return;
    }
    spinning_failed(&spinning);
    sleep_until_request();
}

/* Runs shims until the call or the callback at this depth is resumed. An entry may be
 * left by longjmp, into the shim of an outer call: then an outer loop answers, with
 * its own depth, and the host sees that. */
static void serve(uint32_t depth)
{
    for (;;) {
        wait_for_request();
        void (*entry)(void *) = (void (*)(void *))channel->entry;
        void *arguments = (void *)channel->arguments;
        switch (channel->operation) {
        case OPERATION_CALL:
            running = depth;
            entry(arguments);
            channel->depth = depth;
            answer(EVENT_RETURNED);
            break;
        case OPERATION_RAISE:
            running = depth - 1; /* it runs in the place of the callback */
            entry(arguments);
            return;
        default:
            return;
        }
    }
}

static uint64_t first_thread;

int is_first_thread(void)
{
    return thread_pointer() == first_thread;
}

/* The host waits for the thread that it called. */
__attribute__((noreturn)) static void refuse_callback(void)
{
    struct report *report = report_of(control);
    report->signal = SIGABRT;
    strcpy(report->text, "a callback by a thread of the library's own, which the host cannot take");
    answer(EVENT_FAULT);
    exit_process(128 + SIGABRT);
}

void callback(uint32_t slot, void *arguments)
{
    if (server.thread_count && !is_first_thread())
        refuse_callback();
    uint32_t depth = running;
    channel->slot = slot;
    channel->arguments = (uint64_t)arguments;
    channel->depth = depth;
    answer(EVENT_CALLBACK);
    serve(depth + 1);
    running = depth;
}

/* In the middle of a call: the host answers at once. */
int host_takes_back(uint64_t start, uint64_t size)
{
    if (server.is_in_process)
        return take_back_by_call(start, size);
    if (!channel || server.is_over || !is_first_thread())
        return 0;
    channel->arguments = start;
    channel->entry = size;
    answer(EVENT_GIVE_BACK);
    wait_for_request();
    return channel->arguments == 0;
}

void serve_host(const struct config *config, const struct omniglot_image *image)
{
    channel = channel_of(control);
    first_thread = thread_pointer();
    spinning = spinning_of(config->most_spins, config->least_spins);
    channel->arguments = (uint64_t)image;
    answer(EVENT_READY);
    for (;;)
        serve(0);
}
