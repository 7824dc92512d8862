/* The article's listing 1, and two functions that show its point reproducibly. */
#ifndef ASYNC_PRINT_H
#define ASYNC_PRINT_H

#include <stddef.h>
#include <stdint.h>

typedef enum {
    SUCCESS = 0,
    FAILURE = 1,
    PENDING = 2,
} async_res_t;

/* Listing 1: returns the value of rand(), which C allows. */
async_res_t async_print(const uint8_t *msg, size_t size);

/* Returns 3, the first value that is not an async_res_t. */
async_res_t async_print_three(const uint8_t *msg, size_t size);

/* Follows its contract: pending twice, then success. */
async_res_t async_print_honest(const uint8_t *msg, size_t size);

#endif
