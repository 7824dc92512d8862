/* Threads for foreign code, made before any of its code runs: as many as the host permits, each
 * under both filters, asleep until the server in the domain gives it something to run
 * (server/threads.c). So no filter ever lets foreign code make one, and their number is the
 * kernel's to know. */
#include "stub.h"

#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>

#define FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

_Static_assert(offsetof(struct thread, pointer) == 24 && offsetof(struct thread, registers) == 32, "where the assembly reads");
_Static_assert(THREAD_FREE == 0 && THREAD_RUNS == 2, "what the assembly compares with");

#define HEAD 4096 /* what of a thread's area is not for its signals */

/* The thread's rights are its maker's, who has no filter yet. */
__attribute__((used)) void begin_thread(struct thread *thread)
{
    void *control = (void *)thread->registers.general[0];
    const struct config *config = control;
    stack_t stack = {.ss_sp = (char *)thread + HEAD, .ss_size = THREAD_AREA - HEAD};
    require(control, STEP_THREADS, system3(__NR_sigaltstack, (long)&stack, 0, 0));
    filter_system_calls(control, config->load_filter);
    require(control, STEP_THREADS, system3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, SERVE_PROGRAM));
    __atomic_store_n(&thread->is_ready, 1, __ATOMIC_RELEASE);
    wait_for_work(thread);
}

void start_threads(void *control, const struct config *config)
{
    for (uint32_t i = 0; i < config->thread_count; i++) {
        struct thread *thread = thread_of(config, i);
        void **stack = (void **)((char *)thread + THREAD_AREA - 16);
        thread->leave = (uint64_t)leave_thread;
        thread->registers.general[0] = (uint64_t)control;
        *stack = thread;
        require(control, STEP_THREADS, make_thread(FLAGS, stack));
        while (!__atomic_load_n(&thread->is_ready, __ATOMIC_ACQUIRE))
            system3(__NR_sched_yield, 0, 0, 0);
    }
}
