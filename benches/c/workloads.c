#include "workloads.h"

void empty(void) {}

static __thread int32_t calls;

void count(void) { calls++; }

int64_t add_six(int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f) {
    return a + b + c + d + e + f;
}

int32_t repeat(step_fn step, int32_t value, int32_t count) {
    for (int32_t done = 0; done < count; done++)
        value = step(value);
    return value;
}

enum colour next_colour(enum colour colour, const struct sample *sample) {
    return colour == BLUE || !sample->good ? RED : colour + 1;
}
