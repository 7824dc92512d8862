/* Small functions that cost next to nothing themselves. */
#ifndef WORKLOADS_H
#define WORKLOADS_H
#include <stdbool.h>
#include <stdint.h>

/** Does nothing. */
void empty(void);

/* Increments a thread-local counter. */
void count(void);

/* Adds six integers: a call with arguments in registers and a result. */
int64_t add_six(int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f);

typedef int32_t (*step_fn)(int32_t value);

/* Calls `step` `count` times, each time with its previous result. */
int32_t repeat(step_fn step, int32_t value, int32_t count);

/** An enum of one byte. */
enum colour { RED, GREEN, BLUE } __attribute__((packed));

/* A struct for which some bit patterns are invalid. */
struct sample {
    uint32_t time;
    bool good;
    enum colour colour;
    uint16_t value;
};

/* Returns the next colour. It names the types above, so that they are bound. */
enum colour next_colour(enum colour colour, const struct sample *sample);

#endif
