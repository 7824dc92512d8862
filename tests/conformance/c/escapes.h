/* A library in the host's own process that tries to escape: from its memory, its registers, its
 * stack, its signals. The host tells it the addresses and other secrets that a real attacker
 * would have to guess.
 *
 * Linux on x86-64 only. */
#ifndef ESCAPES_H
#define ESCAPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int32_t (*HostCallback)(int32_t value);

/* Functions that do no harm: they show that an instance works. */
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

/* Places in the library to jump to. */
typedef enum {
    LANDING,      /* continues after the last leap */
    UNDEFINED,    /* an undefined instruction */
    BREAKPOINT,   /* int3 */
    DIVISION,     /* a division by zero */
    SYSTEM_CALL,  /* syscall, then an undefined instruction */
    INTERRUPT_80, /* the same with int 0x80 */
    SYSENTER,     /* the same with sysenter */
    SPIN,         /* an endless loop */
    PUSH,         /* a push, then an undefined instruction */
    SLIDE,        /* the middle of a page of LANDING's addresses */
    CONSTANT,     /* wrpkru among constants */
    VARIABLE,     /* wrpkru among variables */
} Place;

uintptr_t place_of(Place place);

/* Jumps to an address with these registers. If that leads to LANDING, writes a word to `target`
 * in the host, unless that is 0, and returns 1. */
int32_t leap(uintptr_t address, const Registers *registers, uintptr_t target);
/* The same, with these words at `area` in the library's own memory. */
int32_t leap_with_words(uintptr_t address, const Registers *registers, uintptr_t area,
                        const uint64_t *words, size_t count, uintptr_t target);
/* Returns from a signal that never was, by rt_sigreturn with a forged frame. Its rights are
 * those after a reset of the processor. */
int32_t forge_signal_return(uintptr_t target);
/* Opens every key, as far as the C library allows it; then as `poke`. */
void open_keys(uintptr_t target);

/* Registers. */

/* The state to leave changed. */
typedef enum {
    NOTHING,
    FLAGS,          /* these flags are set */
    VECTOR_CONTROL, /* MXCSR */
    FLOAT_CONTROL,  /* the x87 control word */
    FLOAT_STACK,    /* the x87 stack is full */
    FLOAT_PENDING,  /* an unmasked x87 exception is pending */
    MULTIMEDIA,     /* the x87 registers are MMX registers */
    FS_BASE,
    GS_BASE,
    FS_SELECTOR,
    GS_SELECTOR,
    DATA_SELECTORS, /* DS and ES */
} Upset;

/* How the call then ends. */
typedef enum { RETURN, CALL_BACK, FAULT, DENIED_CALL, WAIT } Then;

int32_t upset(Upset what, uint64_t value, Then then, HostCallback callback);

/* Returns PKRU, as RDPKRU reads it. */
uint32_t own_rights(void);

/* Fills all registers and the red zone, waits for `rounds` rounds, and returns how many words
 * have changed. `wide` includes 32 bytes of each vector register. */
int32_t hold(uint64_t rounds, bool wide);

#define SNOOPED 1024
/* Stores the contents of all registers. */
void snoop(uint8_t *into, bool wide);

/* Signals. */

/* Waits until `*flag` is not 0, or for `rounds` rounds. */
uint64_t wait_for(const uint32_t *flag, uint64_t rounds);
/* The time of day in seconds, by a system call. */
int64_t ask_time(void);
/* Waits for `rounds` rounds, and then makes a system call. */
int64_t wait_and_fork(uint64_t rounds);

#endif
