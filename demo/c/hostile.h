/* A library that attacks the program that uses it. */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <stdbool.h>
#include <stdint.h>

/* Overwrites the eight bytes at an address that the host disclosed. */
void hostile_write(uintptr_t address);

/* Reads the eight bytes at such an address. */
uint64_t hostile_read(uintptr_t address);

/* Returns a pointer to such an address, as if it were the library's own memory. */
const uint64_t *hostile_pointer(uintptr_t address);

/* Returns a string of 4096 characters that does not end there. */
const char *hostile_string(void);

/* Returns a bool that holds 2. */
bool hostile_bool(void);

/* Writes through a null pointer. */
void hostile_crash(void);

/* Calls itself until the stack is used up. */
uint64_t hostile_recurse(uint64_t depth);

/* Never returns. */
void hostile_loop(void);

/* Ends the process. */
void hostile_exit(int status);

/* Aborts the process. */
void hostile_abort(void);

/* Opens a file of the host's; a descriptor, or -1. */
int hostile_open(const char *path);

/* Starts a shell; 0, or -1. */
int hostile_spawn(void);

/* Connects to a port of this machine; 0, or -1. */
int hostile_connect(uint16_t port);

/* Behaves. */
uint32_t hostile_add(uint32_t left, uint32_t right);

#endif
