/* A library that asks and speaks while it is loaded. */
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "image.h"

__attribute__((constructor)) static void constructor(void)
{
    struct statfs status;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (write(2, "made\n", 5) == 5)
        statfs("/not/there", &status);
}

static void shim_now(void *now)
{
    clock_gettime(CLOCK_REALTIME, now);
}

static void (*const shims[])(void *) = {shim_malloc, shim_free, shim_now};

IMAGE(0, NULL);
