/* How long the worker spins for a request before it sleeps: as the host does, whose
 * spinning.rs says why. */
#ifndef OMNIGLOT_SPINNING_H
#define OMNIGLOT_SPINNING_H

#include <stdint.h>

/* The number of waits from one probe to the next, at first and at most. */
#define FIRST_PROBE 32
#define RAREST_PROBE 1024

struct spinning {
    uint32_t most;
    uint32_t least;
    uint32_t now;
    uint32_t until_probe;
    uint32_t between_probes;
};

static inline struct spinning spinning_of(uint32_t most, uint32_t least)
{
    return (struct spinning){most, least, most, FIRST_PROBE, FIRST_PROBE};
}

/* The number of checks in the next wait. */
static inline uint32_t spinning_limit(struct spinning *spinning)
{
    if (spinning->until_probe)
        spinning->until_probe--;
    return spinning->until_probe ? spinning->now : spinning->most;
}

static inline void spinning_succeeded(struct spinning *spinning, uint32_t limit)
{
    uint32_t more = limit + limit / 2 + 1;
    spinning->now = more < spinning->most ? more : spinning->most;
    if (!spinning->until_probe)
        spinning->until_probe = spinning->between_probes = FIRST_PROBE;
}

static inline void spinning_failed(struct spinning *spinning)
{
    uint32_t fewer = spinning->now / 2;
    spinning->now = fewer > spinning->least ? fewer : spinning->least;
    if (!spinning->until_probe) {
        uint32_t rarer = spinning->between_probes * 2;
        spinning->between_probes = rarer < RAREST_PROBE ? rarer : RAREST_PROBE;
        spinning->until_probe = spinning->between_probes;
    }
}

#endif
