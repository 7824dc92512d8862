/* AArch64. */
#include <asm/unistd.h>
#include <stdint.h>

#ifndef __NR_openat2
#define __NR_openat2 437
#endif

/* O_RDONLY | O_CLOEXEC; the kernel's header for it and libc's do not go together. */
#define OPEN_FLAGS 02000000

#define MACHINE_NAME "aarch64"
#define ADDRESS_BITS 48
/* O_LARGEFILE as the kernel has it; libc's is 0. */
#define LARGE_FILE 0400000

/* See syscall(2) for the calling convention. */
static inline long system6(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
    return x0;
}

/* Not by openat, for which the host is asked where there is no Landlock. Linux 5.6. */
static inline long open_unasked(const char *path)
{
    struct {
        uint64_t flags, mode, resolve; /* struct open_how */
    } how = {OPEN_FLAGS, 0, 0};
    return system6(__NR_openat2, -100 /* AT_FDCWD */, (long)path, (long)&how, sizeof how, 0, 0);
}

/* In a loop that waits for another processor: most processors take `yield` for nothing. */
static inline void relax(void)
{
    __asm__ volatile("isb" : : : "memory");
}

/* Unknown: no register that this may read has the processor's number. */
static inline uint32_t processor_number(void)
{
    return 0;
}

/* The running thread's TPIDR_EL0: ELF for the Arm 64-bit architecture, thread-local storage. */
static inline uint64_t thread_pointer(void)
{
    uint64_t pointer;
    __asm__ volatile("mrs %0, tpidr_el0" : "=r"(pointer));
    return pointer;
}

/* Whether an instruction that ends there is a call: `bl`, `blr` and those with a check of the
 * address. `code` has the eight bytes before it. */
static inline int is_call(const uint8_t *code)
{
    uint32_t word = code[4] | (uint32_t)code[5] << 8 | (uint32_t)code[6] << 16 | (uint32_t)code[7] << 24;
    return (word & 0xfc000000) == 0x94000000 || (word & 0xfffffc1f) == 0xd63f0000 || (word & 0xfefff800) == 0xd63f0800;
}

/* A return address as it is on the stack, without what protects it: the code of a pointer's
 * authentication. The instruction is a hint, which processors without that pass over. */
static inline uint64_t plain_address(uint64_t address)
{
    register uint64_t x30 __asm__("x30") = address;
    __asm__ volatile("hint #7" : "+r"(x30)); /* xpaclri */
    return x30;
}

/* What a thread starts with. */
struct thread_registers {
    uint64_t general[33]; /* pc sp x0 to x30 */
    uint64_t fpcr;
};
_Static_assert(sizeof(struct thread_registers) == 272, "where the assembly reads");
