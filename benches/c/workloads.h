/* Small functions whose own cost is next to nothing. */
#ifndef WORKLOADS_H
#define WORKLOADS_H
#include <stdbool.h>
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

/** An enum of one byte. */
enum colour { RED, GREEN, BLUE } __attribute__((packed));

/** A struct not all of whose bits are valid. */
struct sample {
    uint32_t time;
    bool good;
    enum colour colour;
    uint16_t value;
};

/** The colour after another; names the types above, so that they are bound. */
enum colour next_colour(enum colour colour, const struct sample *sample);

#endif
