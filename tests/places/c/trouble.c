#include "trouble.h"

#include <stddef.h>

void trouble_crash(void)
{
    *(volatile int *)NULL = 1;
}

void trouble_loop(void)
{
    for (volatile int forever = 1; forever;)
        ;
}

int trouble_add(int left, int right)
{
    return left + right;
}
