/* A library that tries to get out of the host's process, in which it runs: out of its
 * memory, its registers, its stack, its signals. Addresses and other secrets that a real
 * attacker would have to guess are simply given to it.
 *
 * Linux on x86-64 only. */
#ifndef ESCAPES_H
#define ESCAPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int32_t (*HostCallback)(int32_t value);

/* The functions that do no harm: they show that an instance works. */
int32_t sound(int32_t a, int32_t b);
int32_t call_host(HostCallback callback, int32_t value);
double third(double of);

/* Memory. */

uint64_t peek(uintptr_t address);
void poke(uintptr_t address, uint64_t value);

/* Jumps. */

typedef struct {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t flags;
} Registers;

/* Places of the library to jump to. */
typedef enum {
    LANDING,      /* goes on where the last leap began */
    UNDEFINED,    /* an undefined instruction */
    BREAKPOINT,   /* int3 */
    DIVISION,     /* a division by zero */
    SYSTEM_CALL,  /* syscall, then an undefined instruction */
    INTERRUPT_80, /* the same with int 0x80 */
    SYSENTER,     /* the same with sysenter */
    SPIN,         /* an endless loop */
    PUSH,         /* a push, then an undefined instruction */
    SLIDE,        /* the middle of a page of addresses of LANDING */
    CONSTANT,     /* wrpkru among constants */
    VARIABLE,     /* wrpkru among variables */
} Place;

uintptr_t place_of(Place place);

/* Jumps to an address with these registers. If that ends at LANDING, writes a word at
 * `target` in the host, unless that is 0, and returns 1. */
int32_t leap(uintptr_t address, const Registers *registers, uintptr_t target);
/* The same, with these words at `area` of the library's own memory. */
int32_t leap_with_words(uintptr_t address, const Registers *registers, uintptr_t area,
                        const uint64_t *words, size_t count, uintptr_t target);
/* Frames of signals that never were, for rt_sigreturn: with the rights that a processor
 * starts with. */
int32_t forge_signal_return(uintptr_t target);
/* Every key is opened, as far as the C library lets it; then as `poke`. */
void open_keys(uintptr_t target);

/* Registers. */

/* What to leave changed. */
typedef enum {
    NOTHING,
    FLAGS,          /* sets these flags */
    VECTOR_CONTROL, /* MXCSR */
    FLOAT_CONTROL,  /* the x87 control word */
    FLOAT_STACK,    /* the x87 stack is full */
    FLOAT_PENDING,  /* an x87 exception waits for the next x87 instruction */
    MULTIMEDIA,     /* the x87 registers are MMX registers */
    FS_BASE,
    GS_BASE,
    FS_SELECTOR,
    GS_SELECTOR,
    DATA_SELECTORS, /* DS and ES */
} Upset;

/* And then. */
typedef enum { RETURN, CALL_BACK, FAULT, DENIED_CALL, WAIT } Then;

int32_t upset(Upset what, uint64_t value, Then then, HostCallback callback);

/* PKRU, as RDPKRU tells it. */
uint32_t own_rights(void);

/* Fills all registers and the red zone, waits for so many rounds, and looks: how many
 * words have changed. `wide`: with 32 bytes of each vector register. */
int32_t hold(uint64_t rounds, bool wide);

#define SNOOPED 1024
/* Writes down what all registers hold. */
void snoop(uint8_t *into, bool wide);

/* Signals. */

/* Waits until `*flag` is not 0, or for so many rounds. */
uint64_t wait_for(const uint32_t *flag, uint64_t rounds);
/* Waits for so many rounds, and then makes a system call. */
int64_t wait_and_fork(uint64_t rounds);

#endif
