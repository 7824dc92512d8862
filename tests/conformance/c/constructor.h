/* A library that attacks while it is loaded. */
#ifndef CONSTRUCTOR_H
#define CONSTRUCTOR_H

#include <stdint.h>

/* Reached only if the attack was not stopped. */
int32_t loaded(void);

#endif
