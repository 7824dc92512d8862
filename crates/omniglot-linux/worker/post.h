/* How the worker answers the host. */
#ifndef OMNIGLOT_POST_H
#define OMNIGLOT_POST_H

#include "control.h"
#include "system.h"

/* Answers the request `number`. The exchange is also the full barrier that orders
 * the answer before the look at `sleepers`: the host writes that before it looks at
 * the answer a last time, so one of the two sees the other. */
static inline void post(void *control, uint32_t number, uint32_t event)
{
    struct channel *channel = channel_of(control);
    channel->event = event;
    __atomic_exchange_n(&channel->response, number, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&sleepers_of(control)->host, __ATOMIC_SEQ_CST)) {
        channel->processor = processor_number();
        futex_wake(&channel->response);
    }
}

/* Reports a step of the start that failed, and ends the worker. */
__attribute__((noreturn)) static inline void start_failed(void *control, enum step step, long result)
{
    struct report *report = report_of(control);
    report->number = step;
    report->error = (int32_t)-result;
    post(control, channel_of(control)->request, EVENT_START_FAILED);
    exit_process(1);
}

#endif
