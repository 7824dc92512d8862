/* What every image for tests has: the frame that its shims share, the first two shims, and at its
 * end the table of them. */
#ifndef IMAGE_H
#define IMAGE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct frame {
    uint32_t status;
    int32_t error_number;
    uint64_t a;
    uint64_t b;
    uint64_t result;
};

static void (*callback)(uint32_t slot, void *arguments);

static void shim_malloc(void *f)
{
    struct { uint32_t status; int32_t error_number; size_t size; void *result; } *frame = f;
    frame->result = malloc(frame->size);
}

static void shim_free(void *f)
{
    struct { uint32_t status; int32_t error_number; void *pointer; } *frame = f;
    free(frame->pointer);
}

struct omniglot_image {
    uint32_t abi, shim_count, slot_count, reserved;
    void (*const *shims)(void *frame);
    void (*const *trampolines)(void);
    void (**callback)(uint32_t slot, void *arguments);
};

/* Shows the array `shims`, and so many trampolines. */
#define IMAGE(slot_count, trampolines) \
    __attribute__((visibility("default"))) const struct omniglot_image omniglot_image = { \
        1, sizeof shims / sizeof *shims, slot_count, 0, shims, trampolines, &callback, \
    }

#endif
