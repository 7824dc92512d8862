#ifndef ENUMS_H
#define ENUMS_H
#include <stdbool.h>

/** The result of an asynchronous operation. */
typedef enum {
    /** Not there yet. */
    ASYNC_PENDING,
    ASYNC_DONE,
    ASYNC_FAILED,
} async_res_t;

enum direction { BACK = -1, STAY = 0, FORTH = 1, AHEAD = 1 };

enum flags { FLAG_A = 1, FLAG_B = 2 };

enum { BUFFER_SIZE = 64 };

/** Prints something some time. */
async_res_t async_print(bool urgent);
enum direction turn(enum direction from, enum flags how);
#endif
