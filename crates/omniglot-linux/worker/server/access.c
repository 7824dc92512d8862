/* Memory that the caller names may be unmapped, as for the kernel. In a worker a copy that faults
 * returns an error; in the host's process nothing is copied that would fault, since the host
 * handles faults there, and ends the call. The copy itself is in machine/. */
#include "server.h"

#include <sys/mman.h>

long copy_bytes(void *into, const void *from, size_t size)
{
    if (server.is_in_process && !(can_access((uint64_t)into, size, PROT_WRITE) && can_access((uint64_t)from, size, PROT_READ)))
        return -EFAULT;
    return copy_or_fail(into, from, size);
}

long copy_string(char *into, const char *from, size_t room)
{
    for (size_t length = 0; length < room; length++) {
        if (copy_bytes(&into[length], &from[length], 1))
            return -EFAULT;
        if (!into[length])
            return (long)length;
    }
    return -ENAMETOOLONG;
}
