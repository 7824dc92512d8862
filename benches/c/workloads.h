/* Small functions whose own cost is next to nothing. */
#ifndef WORKLOADS_H
#define WORKLOADS_H
#include <stdint.h>

/** Does nothing. */
void empty(void);

/** Counts in a thread-local variable. */
void count(void);

/** Adds six integers: a call with register arguments and a result. */
int64_t add_six(int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f);

typedef int32_t (*step_fn)(int32_t value);

/** Calls `step` `count` times, each time with its last result. */
int32_t repeat(step_fn step, int32_t value, int32_t count);

#endif
