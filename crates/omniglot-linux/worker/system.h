/* Raw system calls: no errno, no libc state, so that they also work where libc's
 * memory is being replaced. */
#ifndef OMNIGLOT_SYSTEM_H
#define OMNIGLOT_SYSTEM_H

#include "machine/machine.h"

#include <stdint.h>

/* For kernel headers older than the calls. */
#ifndef __NR_close_range
#define __NR_close_range 436
#endif
#ifndef __NR_landlock_restrict_self
#define __NR_landlock_restrict_self 446
#endif

static inline long system3(long number, long a, long b, long c)
{
    return system6(number, a, b, c, 0, 0, 0);
}

/* System calls return the negated error number: the last 4095 values. */
static inline int failed(long result)
{
    return (unsigned long)result > -4096ul;
}

static inline long map(uint64_t address, uint64_t size, int protection, int flags, int file, uint64_t offset)
{
    return system6(__NR_mmap, (long)address, (long)size, protection, flags, file, (long)offset);
}

static inline void futex_wake(uint32_t *word)
{
    system3(__NR_futex, (long)word, 1 /* FUTEX_WAKE, not private: another process waits */, 1);
}

static inline void futex_wait(uint32_t *word, uint32_t seen)
{
    system6(__NR_futex, (long)word, 0 /* FUTEX_WAIT */, seen, 0, 0, 0);
}

__attribute__((noreturn)) static inline void exit_process(int status)
{
    for (;;)
        system3(__NR_exit_group, status, 0, 0);
}

#endif
