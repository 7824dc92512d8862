#include "vast.h"

#include <string.h>

unsigned char vast_bytes[VAST_SIZE];
bool vast_flags[VAST_SIZE];
bool vast_table[1 << 8][1 << 16];

void vast_fill(Vast *vast, int number)
{
    vast->first = number;
    vast->last = number;
    memset(vast->flags, 1, sizeof vast->flags);
    memset(vast_bytes, number, sizeof vast_bytes);
    memset(vast_flags, 1, sizeof vast_flags);
}

void vast_spoil(Vast *vast)
{
    const unsigned char seven = 7;
    memcpy(&vast->flags[VAST_SIZE - 1], &seven, 1);
    memcpy(&vast_flags[VAST_SIZE - 1], &seven, 1);
    memcpy(&vast_table[(1 << 8) - 1][(1 << 16) - 1], &seven, 1);
}

Vast vast_pass(Vast vast)
{
    return vast;
}

int vast_call(VastCallback callback)
{
    static Vast vast;
    return callback(vast);
}
