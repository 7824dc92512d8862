/* What a C library needs of a system, where there is none. */
#include <stdio.h>

typedef void constructor(void);

extern constructor *const omniglot_constructors[];
extern constructor *const omniglot_constructors_end[];

/* The host runs this once, before any shim. */
void omniglot_start(void *nothing)
{
    (void)nothing;
    for (constructor *const *each = omniglot_constructors; each != omniglot_constructors_end; each++)
        (*each)();
}

/* Output goes nowhere, and there is no input. A library's own source may define these. */
static int refuse(char character, FILE *file)
{
    (void)character;
    (void)file;
    return EOF;
}

static int nothing_to_read(FILE *file)
{
    (void)file;
    return EOF;
}

static FILE nowhere = FDEV_SETUP_STREAM(refuse, nothing_to_read, NULL, _FDEV_SETUP_RW);
__attribute__((weak)) FILE *const stdin = &nowhere;
__attribute__((weak)) FILE *const stdout = &nowhere;
__attribute__((weak)) FILE *const stderr = &nowhere;
