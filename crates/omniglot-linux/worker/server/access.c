/* Memory that the caller names may be unmapped, as for the kernel: a copy that faults returns
 * an error. The copy itself is in machine/. */
#include "server.h"

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
