/* Values that are too large for the host's stack. */
#ifndef VAST_H
#define VAST_H

#include <stdbool.h>
#include <stddef.h>

#define VAST_SIZE (1 << 24)

extern unsigned char vast_bytes[VAST_SIZE];
extern bool vast_flags[VAST_SIZE];
extern bool vast_table[1 << 8][1 << 16];

typedef struct {
    int first;
    bool flags[VAST_SIZE];
    int last;
} Vast;

void vast_fill(Vast *vast, int number);
/* Writes an invalid bool to the end of each. */
void vast_spoil(Vast *vast);

/* These cannot be called from Rust. */
Vast vast_pass(Vast vast);
typedef int (*VastCallback)(Vast vast);
int vast_call(VastCallback callback);

#endif
