/* A library that attacks the program that uses it. */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <stdbool.h>
#include <stdint.h>

/* Overwrites the eight bytes at an address in the host's memory. */
void hostile_write(uintptr_t address);

/* Reads the eight bytes at an address in the host's memory. */
uint64_t hostile_read(uintptr_t address);

/* Returns a pointer to an address in the host's memory, as if it were the library's own. */
const uint64_t *hostile_pointer(uintptr_t address);

/* Returns a string of 4096 characters without a NUL. */
const char *hostile_string(void);

/* Returns the invalid bool 2. */
bool hostile_bool(void);

/* Writes through a null pointer. */
void hostile_crash(void);

/* Recurses until the stack is exhausted. */
uint64_t hostile_recurse(uint64_t depth);

/* Never returns. */
void hostile_loop(void);

/* Exits the process. */
void hostile_exit(int status);

/* Aborts the process. */
void hostile_abort(void);

/* Opens a file of the host. Returns a descriptor, or -1. */
int hostile_open(const char *path);

/* Starts a shell. Returns 0, or -1. */
int hostile_spawn(void);

/* Connects to a port of this machine. Returns 0, or -1. */
int hostile_connect(uint16_t port);

/* Behaves correctly. */
uint32_t hostile_add(uint32_t left, uint32_t right);

#endif
