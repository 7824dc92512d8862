/* x86-64. */
#include <asm/unistd.h>
#include <stdint.h>

/* O_RDONLY | O_CLOEXEC; the kernel's header for it and libc's do not go together. */
#define OPEN_FLAGS 02000000

#define MACHINE_NAME "x86_64"
#define ADDRESS_BITS 47
/* O_LARGEFILE as the kernel has it; libc's is 0. */
#define LARGE_FILE 0100000
/* Hosts on this architecture can run a library themselves: see loader/hand_off.c. */
#define HANDS_OFF 1

#ifdef IN_REGION
/* In a region the instruction stands for a call of the server, which itself calls the host's gate. */
#define SYSTEM_CALL "call omniglot_sfi_gate_system_call"
#else
#define SYSTEM_CALL "syscall"
#endif

/* See syscall(2) for the calling convention. */
static inline long system6(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile(SYSTEM_CALL
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

/* Not by openat, for which the host is asked where there is no Landlock. */
static inline long open_unasked(const char *path)
{
    return system6(__NR_open, (long)path, OPEN_FLAGS, 0, 0, 0, 0);
}

/* In a loop that waits for another processor: else the line that it waits for would be fetched
 * while the other one still writes. */
static inline void relax(void)
{
    __builtin_ia32_pause();
}

/* 1 + the number of the processor that runs this; 0 if it is not known. Linux keeps the number in the
 * lower bits of a segment's limit, where its vDSO finds it (getcpu(2);
 * arch/x86/include/asm/segment.h). Where there is no such segment, the instruction changes nothing. */
static inline uint32_t processor_number(void)
{
#ifdef OMNIGLOT_SANDBOXED
    return 0; /* tests include this in code for regions, where the instruction is refused */
#else
    uint32_t limit = 0xfff;
    __asm__("lsl %1, %0" : "+r"(limit) : "r"(0x7bu) : "cc");
    return (limit + 1) & 0xfff;
#endif
}

/* The running thread's FS base, which points to itself: ELF TLS for x86-64. */
static inline uint64_t thread_pointer(void)
{
    uint64_t pointer;
    __asm__ volatile("mov %%fs:0, %0" : "=r"(pointer));
    return pointer;
}

/* Whether an instruction that ends there is a call, by the near forms. `code` has the eight bytes
 * before it. */
static inline int is_call(const uint8_t *code)
{
    return code[3] == 0xe8 || (code[2] == 0xff && code[3] == 0x15) || (code[5] == 0xff && (code[6] & 0x38) == 0x10)
        || (code[6] == 0xff && (code[7] & 0x38) == 0x10);
}

/* A return address as it is on the stack, without what protects it. */
static inline uint64_t plain_address(uint64_t address)
{
    return address;
}

/* What a thread starts with. */
struct thread_registers {
    uint64_t general[14]; /* rip rsp rbp rbx rdi rsi rdx r8 r9 r10 r12 r13 r14 r15 */
    uint32_t mxcsr;
    uint16_t x87;
    uint16_t unused;
};
_Static_assert(sizeof(struct thread_registers) == 120, "where the assembly reads");
