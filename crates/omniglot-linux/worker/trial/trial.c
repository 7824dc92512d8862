/* The smallest library with shims: what a worker loads when somebody only wants to know whether
 * workers run here. */
#include "../image.h"

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

__attribute__((visibility("default"))) const struct omniglot_image omniglot_image = {
    IMAGE_ABI, sizeof shims / sizeof *shims, 0, 0, shims, NULL, &callback,
};
