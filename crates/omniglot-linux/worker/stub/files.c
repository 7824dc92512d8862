/* The worker's files: those that the host sent, and no others. */
#include "stub.h"

#include <stddef.h>

struct vector {
    void *base;
    unsigned long length;
};

/* struct msghdr of recvmsg(2), without libc. */
struct message {
    void *name;
    uint32_t name_length;
    struct vector *vectors;
    unsigned long vector_count;
    void *control;
    unsigned long control_length;
    int flags;
};

/* struct cmsghdr and its payload, see cmsg(3). */
struct descriptors {
    unsigned long length;
    int level; /* SOL_SOCKET */
    int type;  /* SCM_RIGHTS */
    int files[RECEIVED_FDS + 1];
};
_Static_assert(MOST_SENT_FDS <= RECEIVED_FDS, "the same structure holds both");

/* Files that the host left open for any child must not reach foreign code, so they
 * go first; then what the host sends gets the numbers from WINDOW_FD upwards. */
long receive_files(void)
{
    char byte;
    struct vector vector = {&byte, 1};
    struct descriptors descriptors = {0};
    struct message message = {0};
    message.vectors = &vector;
    message.vector_count = 1;
    message.control = &descriptors;
    message.control_length = sizeof descriptors;

    long result = system3(__NR_close_range, WINDOW_FD, ~0u, 0);
    if (failed(result))
        exit_process(STEP_CLOSE_RANGE);
    result = system3(__NR_recvmsg, SOCKET_FD, (long)&message, 0);
    if (failed(result) || descriptors.files[0] != WINDOW_FD || descriptors.files[RECEIVED_FDS - 1] != TREE_FD)
        return -1;
    return 0;
}

long send_files(uint32_t number, const int *files, unsigned count)
{
    struct vector vector = {&number, sizeof number};
    struct descriptors descriptors = {offsetof(struct descriptors, files), 1, 1, {0}};
    struct message message = {0};
    for (unsigned i = 0; i < count; i++)
        descriptors.files[i] = files[i];
    descriptors.length += sizeof(int) * count;
    message.vectors = &vector;
    message.vector_count = 1;
    message.control = &descriptors;
    message.control_length = descriptors.length;
    return system3(__NR_sendmsg, SOCKET_FD, (long)&message, 0);
}

void close_socket(void)
{
    system3(__NR_dup3, 1, SOCKET_FD, 0);
}
