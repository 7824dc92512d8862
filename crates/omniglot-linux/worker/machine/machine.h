/* What the architecture decides: one header, one for the contexts of signals, and one file of
 * assembly for each. Nothing else in the worker names a register or an instruction. */
#ifndef OMNIGLOT_MACHINE_H
#define OMNIGLOT_MACHINE_H

#if defined(__x86_64__)
#include "x86_64.h"
#elif defined(__aarch64__)
#include "aarch64.h"
#else
#error "omniglot-linux has no worker for this architecture"
#endif

#endif
