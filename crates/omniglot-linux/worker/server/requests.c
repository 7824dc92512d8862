/* What was asked and answered with an error: a list for the host, each request once, with a
 * count. The host treats it as untrusted. */
#include "server.h"

static int is_same(const struct request *one, uint32_t number, int32_t error, const char *path)
{
    if (one->number != number || one->error != error)
        return 0;
    for (size_t i = 0; i < REQUEST_PATH - 1; i++) {
        if (one->path[i] != path[i])
            return 0;
        if (!path[i])
            return 1;
    }
    return 1;
}

void note_request(uint32_t number, long result, const char *path)
{
    struct request *requests = server.world->requests;
    for (size_t i = 0; i < MOST_REQUESTS; i++) {
        struct request *request = &requests[i];
        if (request->count && !is_same(request, number, (int32_t)-result, path))
            continue;
        if (!request->count) {
            request->number = number;
            request->error = (int32_t)-result;
            for (size_t at = 0; at < REQUEST_PATH - 1 && path[at]; at++)
                request->path[at] = path[at];
        }
        if (request->count < UINT32_MAX)
            request->count++;
        return;
    }
}
