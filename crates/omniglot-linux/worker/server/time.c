/* Time: the host writes it when the outermost call begins. Sleeping returns at once and advances
 * the clock, so that code which waits until a time does not wait for ever. */
#include "server.h"

#include <sys/time.h>
#include <sys/times.h>
#include <time.h>

#define SECOND 1000000000ul
#define RESOLUTION 1000000ul
#define FIRST 1000 /* seconds since the domain's machine was started, when it was */
#define LAST_CLOCK 11

static uint64_t slept;    /* nanoseconds */
static uint64_t started;  /* the first time seen */
static uint64_t furthest; /* no clock goes back */

void start_clock(void)
{
    started = furthest = __atomic_load_n(&server.world->time, __ATOMIC_RELAXED);
}

/* Since 1970, in nanoseconds. */
static uint64_t now(void)
{
#ifdef IN_REGION
    system3(ASK_TIME, 0, 0, 0);
#endif
    uint64_t time = __atomic_load_n(&server.world->time, __ATOMIC_RELAXED) + slept;
    if (time > furthest)
        furthest = time;
    return furthest;
}

void pass_time(uint64_t nanoseconds)
{
    uint64_t most = 1ul << 62;
    slept = nanoseconds < most && slept + nanoseconds < most ? slept + nanoseconds : most;
}

/* The value of the processor's clock: one of 1 GHz that stands still as the others do, except for one
 * cycle each time that it is read. */
uint64_t count_cycles(void)
{
    static uint64_t reads;
    return now() - started + FIRST * SECOND + ++reads;
}

static struct timespec spec_of(uint64_t time)
{
    return (struct timespec){(time_t)(time / SECOND), (long)(time % SECOND)};
}

static int is_clock(long clock)
{
    return clock >= 0 && clock <= LAST_CLOCK && clock != 10;
}

/* The value of a clock: the time of day, or the time since the machine, or this process, started. */
static uint64_t read_clock(long clock)
{
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI:
        return now();
    case CLOCK_PROCESS_CPUTIME_ID:
    case CLOCK_THREAD_CPUTIME_ID:
        return now() - started;
    default:
        return now() - started + FIRST * SECOND;
    }
}

long serve_clock_gettime(const long *a)
{
    if (!is_clock((int)a[0]))
        return -EINVAL;
    struct timespec time = spec_of(read_clock((int)a[0]));
    return STORE(a[1], time);
}

long serve_clock_getres(const long *a)
{
    struct timespec resolution = {0, RESOLUTION};
    if (!is_clock((int)a[0]))
        return -EINVAL;
    return a[1] ? STORE(a[1], resolution) : 0;
}

long serve_gettimeofday(const long *a)
{
    struct timespec time = spec_of(now());
    struct timeval value = {time.tv_sec, time.tv_nsec / 1000};
    struct timezone zone = {0, 0};
    if (a[0] && STORE(a[0], value))
        return -EFAULT;
    return a[1] ? STORE(a[1], zone) : 0;
}

long serve_time(const long *a)
{
    time_t seconds = (time_t)(now() / SECOND);
    return a[0] && STORE(a[0], seconds) ? -EFAULT : seconds;
}

/* In ticks of a hundredth of a second. */
long serve_times(const long *a)
{
    long ticks = (long)(read_clock(CLOCK_PROCESS_CPUTIME_ID) / (SECOND / 100));
    struct tms times = {ticks, 0, 0, 0};
    if (a[0] && STORE(a[0], times))
        return -EFAULT;
    return (long)(read_clock(CLOCK_MONOTONIC) / (SECOND / 100));
}

static int is_time(const struct timespec *time)
{
    return time->tv_sec >= 0 && time->tv_nsec >= 0 && time->tv_nsec < (long)SECOND;
}

static uint64_t nanoseconds_of(const struct timespec *time)
{
    return (uint64_t)time->tv_sec > UINT64_MAX / SECOND - 1 ? UINT64_MAX : (uint64_t)time->tv_sec * SECOND + (uint64_t)time->tv_nsec;
}

static void wait_until(long clock, uint64_t time)
{
    uint64_t reads = read_clock(clock);
    if (time > reads)
        pass_time(time - reads);
}

long serve_nanosleep(const long *a)
{
    struct timespec time;
    if (FETCH(time, a[0]))
        return -EFAULT;
    if (!is_time(&time))
        return -EINVAL;
    pass_time(nanoseconds_of(&time));
    return 0;
}

long serve_clock_nanosleep(const long *a)
{
    struct timespec time;
    if (!is_clock((int)a[0]))
        return -EINVAL;
    if ((int)a[0] == CLOCK_THREAD_CPUTIME_ID)
        return -EINVAL;
    if (FETCH(time, a[2]))
        return -EFAULT;
    if (!is_time(&time))
        return -EINVAL;
    if (a[1] & TIMER_ABSTIME)
        wait_until((int)a[0], nanoseconds_of(&time));
    else
        pass_time(nanoseconds_of(&time));
    return 0;
}

/* Until then, by the kernel's clock, which is not the domain's: for as long as is left. */
static long wait_beside_others(const long *a, uint64_t left)
{
    enum { PRIVATE = 128 };
    struct timespec time = spec_of(left);
    unlock_server();
    long result = system6(__NR_futex, a[0], a[1] & PRIVATE, a[2], (long)&time, 0, 0);
    lock_server();
    if (result == -ETIMEDOUT)
        pass_time(left);
    return result;
}

/* The filter of a worker lets waking through, and waits for as long as it takes; where there are
 * other threads, also for a time. Where there is nobody else who could wake, waits for a time are
 * over at once, and so are those until a time that has come. In the host's process nobody else is
 * there to be woken, and a wait for as long as it takes ends as one that came too late. */
long serve_futex(const long *a)
{
    enum { WAIT = 0, WAKE = 1, WAIT_BITSET = 9, WAKE_BITSET = 10, REALTIME = 256 };
    int command = (int)a[1] & 0x7f;
    struct timespec time;
    uint32_t word;

    if (server.is_in_process && (command == WAKE || command == WAKE_BITSET))
        return 0;
    if (command != WAIT && command != WAIT_BITSET)
        return -ENOSYS;
    if (server.is_in_process && !a[3])
        return -EAGAIN;
    if (FETCH(time, a[3]) || FETCH(word, a[0]))
        return -EFAULT;
    if (!is_time(&time))
        return -EINVAL;
    if (word != (uint32_t)a[2])
        return -EAGAIN;
    uint64_t reads = command == WAIT ? 0 : read_clock(a[1] & REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC);
    uint64_t until = nanoseconds_of(&time);
    if (until <= reads)
        return -ETIMEDOUT;
    if (server.thread_count)
        return wait_beside_others(a, until - reads);
    pass_time(until - reads);
    return -ETIMEDOUT;
}
