/* Threads for foreign code, made before any of its code runs: as many as the host permits, each
 * under both filters, asleep until the server in the domain gives it something to run
 * (server/threads.c). So no filter ever lets foreign code make one, and their number is the
 * kernel's to know. */
#include "stub.h"

#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/signal.h>
#include <stddef.h>

#define FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

/* rdi: where the thread's stack ends, with its struct there. */
__asm__("make_thread:\n"
        "    mov %rdi, %rsi\n"
        "    mov $" "0x50f00" ", %edi\n"
        "    xor %edx, %edx\n"
        "    xor %r10d, %r10d\n"
        "    xor %r8d, %r8d\n"
        "    mov $56, %eax\n" /* clone */
        "    syscall\n"
        "    test %rax, %rax\n"
        "    jnz 1f\n"
        "    xor %ebp, %ebp\n"
        "    pop %rdi\n"
        "    call begin_thread\n"
        "    ud2\n"
        "1:  ret\n");
_Static_assert(FLAGS == 0x50f00, "what the assembly passes");
long make_thread(void *stack);

/* From here on a thread has no stack of its own, since what it ran last may be given to others.
 *
 * leave_thread: rbx: the thread; rdi: the word to clear for who waits for its end (set_tid_address(2)),
 * or 0. The thread is free before, since who waited may start the next one.
 * wait_for_work: rbx: the thread. */
__asm__("leave_thread:\n"
        "    xor %esp, %esp\n"
        "    movl $0, (%rbx)\n"
        "    test %rdi, %rdi\n"
        "    jz wait_for_work\n"
        "    movl $0, (%rdi)\n"
        "    mov $1, %esi\n" /* FUTEX_WAKE, as the kernel does it */
        "    mov $1, %edx\n"
        "    mov $202, %eax\n"
        "    syscall\n"
        "wait_for_work:\n"
        "    xor %esp, %esp\n"
        "    mov %rbx, %rdi\n"
        "    xor %esi, %esi\n" /* FUTEX_WAIT while it is free, for as long as it takes */
        "    xor %edx, %edx\n"
        "    xor %r10d, %r10d\n"
        "    mov $202, %eax\n"
        "    syscall\n"
        "    pause\n"
        "    cmpl $2, (%rbx)\n" /* THREAD_RUNS */
        "    jne wait_for_work\n"
        "    mov 24(%rbx), %rax\n"
        "    wrfsbase %rax\n"
        "    ldmxcsr 144(%rbx)\n"
        "    fldcw 148(%rbx)\n"
        "    mov 32(%rbx), %rcx\n" /* as the kernel leaves it: where the thread begins */
        "    mov 40(%rbx), %rsp\n"
        "    mov 48(%rbx), %rbp\n"
        "    mov 64(%rbx), %rdi\n"
        "    mov 72(%rbx), %rsi\n"
        "    mov 80(%rbx), %rdx\n"
        "    mov 88(%rbx), %r8\n"
        "    mov 96(%rbx), %r9\n"
        "    mov 104(%rbx), %r10\n"
        "    mov 112(%rbx), %r12\n"
        "    mov 120(%rbx), %r13\n"
        "    mov 128(%rbx), %r14\n"
        "    mov 136(%rbx), %r15\n"
        "    mov 56(%rbx), %rbx\n"
        "    xor %eax, %eax\n"
        "    jmp *%rcx\n");
_Static_assert(offsetof(struct thread, pointer) == 24 && offsetof(struct thread, registers) == 32
                   && offsetof(struct thread, mxcsr) == 144 && offsetof(struct thread, x87) == 148,
               "where the assembly reads");
_Static_assert(THREAD_FREE == 0 && THREAD_RUNS == 2, "what the assembly compares with");
void leave_thread(void);

/* The thread's rights are its maker's, who has no filter yet. */
__attribute__((used)) void begin_thread(struct thread *thread)
{
    void *control = (void *)thread->registers[0];
    const struct config *config = control;
    stack_t stack = {.ss_sp = (char *)thread + PAGE_SIZE, .ss_size = THREAD_AREA - PAGE_SIZE};
    require(control, STEP_THREADS, system3(__NR_sigaltstack, (long)&stack, 0, 0));
    filter_system_calls(control, config->load_filter);
    require(control, STEP_THREADS, system3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, SERVE_PROGRAM));
    __atomic_store_n(&thread->is_ready, 1, __ATOMIC_RELEASE);
    __asm__ volatile("jmp wait_for_work" : : "b"(thread) : "memory");
    __builtin_unreachable();
}

void start_threads(void *control, const struct config *config)
{
    for (uint32_t i = 0; i < config->thread_count; i++) {
        struct thread *thread = thread_of(config, i);
        void **stack = (void **)((char *)thread + THREAD_AREA - 16);
        thread->leave = (uint64_t)leave_thread;
        thread->registers[0] = (uint64_t)control;
        *stack = thread;
        require(control, STEP_THREADS, make_thread(stack));
        while (!__atomic_load_n(&thread->is_ready, __ATOMIC_ACQUIRE))
            system3(__NR_sched_yield, 0, 0, 0);
    }
}
