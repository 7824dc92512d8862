/* A worker that speaks the call channel's protocol itself, and breaks it in every way.
 *
 * Linux on x86-64 only. */
#ifndef RAMPAGE_H
#define RAMPAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { LOW = 0, MIDDLE = 1, HIGH = 2 } Level;

typedef struct {
    uint8_t id;
    Level level;
    bool lit;
    Level row[2];
    bool bits[3];
} Record;

typedef struct {
    const uint8_t *data;
    size_t size;
} Blob;

typedef int32_t (*HostCall)(int32_t value, Level level, bool flag);

#define RECORDS 64
#define TEXT_SIZE 64

/* What the worker changes while the host reads, in the order of its counters. */
#define PLACES 17

/* Returns the addresses of things, before the rampage. */
Record *records(void);
const char *text(void);
const uint64_t *counters(void);

/* Starts the rampage: from here on nothing can be trusted. */
void rampage(uintptr_t window, size_t size, uintptr_t host, uint32_t slot, uint64_t seed);

uint64_t sum(uint64_t a, uint64_t b);
Level level(uint32_t number);
bool flag(uint32_t number);
Record record(uint32_t number);
Blob blob(uint32_t number);
int32_t call(HostCall callback, int32_t value);

#endif
