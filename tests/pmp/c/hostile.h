/* A library whose every function attacks the kernel that calls it. */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Memory: any address, with every width and every kind of access. */

enum width { BYTE = 1, HALF = 2, WORD = 4, DOUBLE = 8 };

uint32_t load(uintptr_t address, uint32_t width);
void store(uintptr_t address, uint32_t width, uint32_t value);
void jump(uintptr_t address);
uint32_t atomic_add(uintptr_t address, uint32_t value);
uint32_t load_reserved(uintptr_t address);
uint32_t store_conditional(uintptr_t address, uint32_t value);
void copy(uintptr_t into, uintptr_t from, size_t size);
/* Code in data, and data written over code. */
void run_data(void);
uintptr_t own_code(void);
uintptr_t own_data(void);

/* Control and status registers, by number. */

uint32_t read_csr(uint32_t number);
void write_csr(uint32_t number, uint32_t value);

/* Instructions that are not allowed in user mode, or do not exist. */

#define INSTRUCTIONS 15
void run_instruction(uint32_t index);
/* Instructions that are allowed everywhere. */
void fence(void);

/* Requests to the host, valid as the stubs make them, and invalid. */

typedef int32_t (*Callback)(int32_t value);
typedef void (*Entry)(void *frame);

uint32_t request(uint32_t number, uint32_t a0, uint32_t a1);
int32_t call(Callback callback, int32_t value);
int32_t call_times(Callback callback, uint32_t times);
void call_forever(Callback callback);
void leave(int status);
void give_up(void);
void break_point(void);

/* Stacks and registers. */

/* Uses the current stack. */
uint32_t push(uint32_t value);
void push_at(uintptr_t stack);
void request_at(uintptr_t stack, uint32_t number, uint32_t a0, uint32_t a1);
void spin_at(uintptr_t stack);
/* Returns to the host with garbage in every register except the level. */
void return_garbage(uint32_t level);
/* Calls the host back in the same way; the answer is lost. */
void call_back_garbage(uint32_t slot, uintptr_t arguments);
/* Stores x1 to x31 as they are on entry; this must not be called through a shim. */
void entry_registers(void *frame);
/* Fills the registers, spins, and returns whether all have kept their values. */
bool registers_stay(uint32_t rounds);
/* FNV-1a over the numbers 0, 1, 2, ... */
uint32_t hash(uint32_t rounds);
uint32_t echo(uint32_t value);
void nothing(void);

#endif
