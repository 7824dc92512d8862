/* The article's listing 1, which the kernel links without Omniglot: `rand()` returned 3. */
#include <stddef.h>
#include <stdint.h>

typedef enum { SUCCESS = 0, FAILURE = 1, PENDING = 2 } async_res_t;

async_res_t async_print(const uint8_t *msg, size_t size);

async_res_t async_print(const uint8_t *msg, size_t size)
{
    (void)msg;
    (void)size;
    return (async_res_t)3;
}
