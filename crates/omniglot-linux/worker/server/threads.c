/* Threads: those that the stub made (stub/threads.c) are given what the library wants to have
 * run, as long as there are any; then, as on a system that has no room for one more, there are
 * none, so that libraries do with what they have. Processes are another matter, and end the call. */
#define _GNU_SOURCE
#include "server.h"

#include "../machine/context.h"

#include <linux/sched.h>
#include <signal.h>

#define FIRST_NUMBER ((1 << 22) + 1) /* more than any process of the kernel's has: proc(5) */
#define OLDEST_ARGUMENTS 64          /* the size of the oldest struct clone_args: clone(2) */

static long thread_or_process(uint64_t flags)
{
    return flags & CLONE_THREAD && flags & CLONE_VM ? -EAGAIN : DENY;
}

long serve_clone(const long *a)
{
    return thread_or_process((uint64_t)a[0]);
}

long serve_clone3(const long *a)
{
    uint64_t flags;
    if (FETCH(flags, a[0]))
        return -EFAULT;
    return thread_or_process(flags);
}

static struct thread *take_thread(uint32_t *index)
{
    for (*index = 0; *index < server.thread_count; ++*index) {
        struct thread *thread = thread_of(server.config, *index);
        uint32_t expected = THREAD_FREE;
        if (__atomic_compare_exchange_n(&thread->state, &expected, THREAD_TAKEN, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return thread;
    }
    return 0;
}

/* The arguments of the older call, whichever was made; 0 if they are not of a thread. */
static int arguments_of(uint32_t number, const ucontext_t *context, struct clone_args *arguments)
{
    *arguments = (struct clone_args){0};
    if (number == __NR_clone) {
        struct clone_registers given = clone_registers(context);
        arguments->flags = given.flags;
        arguments->stack = given.stack;
        arguments->parent_tid = given.parent;
        arguments->child_tid = given.child;
        arguments->tls = given.pointer;
    } else if (argument_of(context, 1) < OLDEST_ARGUMENTS || copy_bytes(arguments, (void *)argument_of(context, 0), OLDEST_ARGUMENTS)) {
        return 0;
    } else {
        arguments->stack += arguments->stack_size;
    }
    uint64_t needed = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | CLONE_SETTLS;
    return (arguments->flags & needed) == needed && arguments->stack;
}

static void fill(struct thread *thread, const struct clone_args *arguments, const ucontext_t *context)
{
    copy_registers(&thread->registers, context, arguments->stack);
    thread->pointer = arguments->tls;
    thread->clear = arguments->flags & CLONE_CHILD_CLEARTID ? arguments->child_tid : 0;
}

static int store_number(uint64_t flags, uint64_t flag, uint64_t place, int number)
{
    return flags & flag && STORE(place, number);
}

long start_thread(uint32_t number, const void *given)
{
    const ucontext_t *context = given;
    struct clone_args arguments;
    uint32_t index;
    if ((number != __NR_clone && number != __NR_clone3) || !arguments_of(number, context, &arguments))
        return DENY;
    struct thread *thread = take_thread(&index);
    if (!thread)
        return DENY;
    int own = FIRST_NUMBER + (int)index;
    if (store_number(arguments.flags, CLONE_PARENT_SETTID, arguments.parent_tid, own)
        || store_number(arguments.flags, CLONE_CHILD_SETTID, arguments.child_tid, own)) {
        __atomic_store_n(&thread->state, THREAD_FREE, __ATOMIC_RELEASE);
        return -EFAULT;
    }
    fill(thread, &arguments, context);
    __atomic_store_n(&thread->state, THREAD_RUNS, __ATOMIC_SEQ_CST);
    futex_wake(&thread->state);
    return own;
}

/* Signals of a thread are handled on a stack in its own area. */
static long own_index(void)
{
    uint64_t here = (uint64_t)__builtin_frame_address(0);
    uint64_t start = (uint64_t)thread_of(server.config, 0);
    uint64_t index = (here - start) / THREAD_AREA;
    return here >= start && index < server.thread_count ? (long)index : -1;
}

int end_thread(uint32_t number, void *given)
{
    ucontext_t *context = given;
    long index = server.thread_count ? own_index() : -1;
    if (number != __NR_exit || index < 0)
        return 0;
    struct thread *thread = thread_of(server.config, (uint32_t)index);
    leave_by(context, thread->leave, (uint64_t)thread, thread->clear);
    return 1;
}

long serve_gettid(const long *a)
{
    long index = server.thread_count ? own_index() : -1;
    return index < 0 ? serve_process(a) : FIRST_NUMBER + index;
}

/* One thread at a time is in the server: 0 nobody, 1 somebody, 2 and others wait. */
static uint32_t lock;

void lock_server(void)
{
    uint32_t seen = 0;
    if (!server.thread_count || __atomic_compare_exchange_n(&lock, &seen, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return;
    while (__atomic_exchange_n(&lock, 2, __ATOMIC_ACQUIRE))
        futex_wait(&lock, 2);
}

void unlock_server(void)
{
    if (server.thread_count && __atomic_exchange_n(&lock, 0, __ATOMIC_RELEASE) == 2)
        futex_wake(&lock);
}
