/* The registers of the code that a signal interrupted. */
#ifndef OMNIGLOT_CONTEXT_H
#define OMNIGLOT_CONTEXT_H

#ifndef _GNU_SOURCE
#error "the names of registers need _GNU_SOURCE"
#endif

#include <ucontext.h>

#if defined(__x86_64__)
#include "x86_64_context.h"
#elif defined(__aarch64__)
#include "aarch64_context.h"
#endif

#endif
