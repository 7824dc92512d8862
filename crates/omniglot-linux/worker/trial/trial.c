/* The smallest library with shims: what a worker loads when somebody only wants to know whether
 * workers run here. */
#include <stdint.h>
#include <stdlib.h>

/* The frames of the shims that every image begins with. */
struct allocation {
    uint32_t status;
    int32_t error_number;
    size_t size;
    void *result;
};

struct release {
    uint32_t status;
    int32_t error_number;
    void *pointer;
};

static void allocate(void *f)
{
    struct allocation *frame = f;
    frame->result = malloc(frame->size);
}

static void give_back(void *f)
{
    free(((struct release *)f)->pointer);
}

static void (*callback)(uint32_t slot, void *arguments);
static void (*const shims[])(void *) = {allocate, give_back};

/* As in loader/loader.h. */
struct omniglot_image {
    uint32_t abi;
    uint32_t shim_count;
    uint32_t slot_count;
    uint32_t reserved;
    void (*const *shims)(void *frame);
    void (*const *trampolines)(void);
    void (**callback)(uint32_t slot, void *arguments);
};

__attribute__((visibility("default"))) const struct omniglot_image omniglot_image = {
    1, sizeof shims / sizeof *shims, 0, 0, shims, NULL, &callback,
};
