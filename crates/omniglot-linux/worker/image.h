#ifndef OMNIGLOT_IMAGE_H
#define OMNIGLOT_IMAGE_H

#include <stdint.h>

/* What a shims image exports; the generator's C code has the same declaration. */
struct omniglot_image {
    uint32_t abi;
    uint32_t shim_count;
    uint32_t slot_count;
    uint32_t reserved;
    void (*const *shims)(void *frame);
    void (*const *trampolines)(void);
    void (**callback)(uint32_t slot, void *arguments);
};
#define IMAGE_ABI 1

#endif
