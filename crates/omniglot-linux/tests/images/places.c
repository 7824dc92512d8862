/* Faults in known lines: those with a comment that names the function. */
#include <string.h>

#include "image.h"

__attribute__((noinline)) static uint64_t wild(uint64_t a)
{
    *(volatile uint64_t *)a = 1; /* wild */
    return a;
}

static void shim_wild(void *f)
{
    struct frame *frame = f;
    frame->result = wild(frame->a);
}

/* In the C library, which has no lines. */
__attribute__((noinline)) static uint64_t measure(uint64_t a)
{
    return strlen((const char *)a) /* measure */
        + 1;
}

static void shim_measure(void *f)
{
    struct frame *frame = f;
    frame->result = measure(frame->a);
}

__attribute__((noinline)) static uint64_t give_up(uint64_t a)
{
    if (a)
        abort(); /* give_up */
    return a;
}

static void shim_give_up(void *f)
{
    struct frame *frame = f;
    frame->result = give_up(frame->a);
}

/* To where there is no code. */
__attribute__((noinline)) static uint64_t leave(uint64_t a)
{
    return ((uint64_t (*)(void))a)() /* leave */
        + 1;
}

static void shim_leave(void *f)
{
    struct frame *frame = f;
    frame->result = leave(frame->a);
}

/* With nothing on the stack that leads to a caller. */
__attribute__((noinline)) static void lose_stack(uint64_t a)
{
    __asm__ volatile("mov %0, %%rsp\n"
                     "mov %0, %%rbp\n"
                     "jmp abort@plt"
                     :
                     : "r"(a));
}

static void shim_lose_stack(void *f)
{
    lose_stack(((struct frame *)f)->a);
}

static void (*const shims[])(void *) = {
    shim_malloc, shim_free, shim_wild, shim_measure, shim_give_up, shim_leave, shim_lose_stack,
};

IMAGE(0, NULL);
