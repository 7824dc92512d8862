#include "async_print.h"

#include <stdlib.h>

async_res_t async_print(const uint8_t *msg, size_t size) {
    (void)msg;
    (void)size;
    return rand();
}

async_res_t async_print_three(const uint8_t *msg, size_t size) {
    (void)msg;
    (void)size;
    return 3;
}

async_res_t async_print_honest(const uint8_t *msg, size_t size) {
    static unsigned polls;
    (void)msg;
    (void)size;
    return ++polls % 3 == 0 ? SUCCESS : PENDING;
}
