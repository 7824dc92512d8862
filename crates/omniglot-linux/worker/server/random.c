/* Random numbers: the generator ChaCha20 (RFC 8439), with a key that the host made for this
 * life. The key is replaced with each use, so that code which reads the domain's memory later does
 * not know what was drawn before. */
#include "server.h"

#define BLOCK 64
#define MOST 33554431ul /* in one call: getrandom(2) */

static uint32_t key[8];

/* Takes a seed that is new, and erases it where the host wrote it: at the start, and where the host
 * runs the library itself, in each life. */
void take_seed(void)
{
    struct world *world = server.world;
    if (!world->is_fresh)
        return;
    copy_bytes(key, world->seed, sizeof key);
    fill_bytes(world->seed, 0, sizeof key);
    world->is_fresh = 0;
}

static uint32_t rotate(uint32_t value, int by)
{
    return value << by | value >> (32 - by);
}

static void quarter_round(uint32_t *s, int a, int b, int c, int d)
{
    s[a] += s[b], s[d] = rotate(s[d] ^ s[a], 16);
    s[c] += s[d], s[b] = rotate(s[b] ^ s[c], 12);
    s[a] += s[b], s[d] = rotate(s[d] ^ s[a], 8);
    s[c] += s[d], s[b] = rotate(s[b] ^ s[c], 7);
}

static void block(uint32_t *out, const uint32_t *with, uint64_t number)
{
    uint32_t state[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    for (int i = 0; i < 8; i++)
        state[4 + i] = with[i];
    state[12] = (uint32_t)number;
    state[13] = (uint32_t)(number >> 32);
    for (int i = 0; i < 16; i++)
        out[i] = state[i];
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 4; i++)
            quarter_round(out, i, 4 + i, 8 + i, 12 + i);
        for (int i = 0; i < 4; i++)
            quarter_round(out, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
    }
    for (int i = 0; i < 16; i++)
        out[i] += state[i];
}

/* The first half of the first block is the next key. */
static long draw(char *into, size_t size)
{
    uint32_t used[8], out[16];
    long error = 0;
    take_seed();
    copy_bytes(used, key, sizeof key);
    block(out, used, 0);
    copy_bytes(key, out, sizeof key);
    for (uint64_t number = 1; size && !error; number++) {
        size_t part = size < BLOCK ? size : BLOCK;
        block(out, used, number);
        error = copy_bytes(into, out, part);
        into += part;
        size -= part;
    }
    fill_bytes(used, 0, sizeof used);
    fill_bytes(out, 0, sizeof out);
    return error;
}

void random_bytes(void *into, size_t size)
{
    draw(into, size);
}

long serve_getrandom(const long *a)
{
    enum { NONBLOCK = 1, RANDOM = 2, INSECURE = 4 };
    size_t size = (uint64_t)a[1] < MOST ? (size_t)a[1] : MOST;
    unsigned flags = (unsigned)a[2];
    if (flags & ~(unsigned)(NONBLOCK | RANDOM | INSECURE) || (flags & RANDOM && flags & INSECURE))
        return -EINVAL;
    return draw((char *)a[0], size) ? -EFAULT : (long)size;
}
