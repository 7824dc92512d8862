/* Copies and compares memory, for images with and without a C library. The C library's own
   functions set the direction flag in assembly, which is not allowed in an image. */
#include <stddef.h>
#include <stdint.h>

/* Unaligned vectors and words that may alias other types. */
typedef long long vector __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint64_t word8 __attribute__((aligned(1), may_alias));
typedef uint32_t word4 __attribute__((aligned(1), may_alias));
typedef uint16_t word2 __attribute__((aligned(1), may_alias));

#define GET(type, at) (*(const type *)(at))
#define PUT(type, at, value) (*(type *)(at) = (value))

/* The size in bytes from which the processor's string instruction is faster. */
enum { LONG = 1536 };

/* Copies up to 64 bytes. All reads come before all writes, so the ranges may overlap. */
static void copy_short(unsigned char *to, const unsigned char *from, size_t length)
{
    unsigned char *to_end = to + length;
    const unsigned char *from_end = from + length;
    if (length > 32) {
        vector a = GET(vector, from), b = GET(vector, from + 16);
        vector c = GET(vector, from_end - 32), d = GET(vector, from_end - 16);
        PUT(vector, to, a);
        PUT(vector, to + 16, b);
        PUT(vector, to_end - 32, c);
        PUT(vector, to_end - 16, d);
    } else if (length >= 16) {
        vector a = GET(vector, from), b = GET(vector, from_end - 16);
        PUT(vector, to, a);
        PUT(vector, to_end - 16, b);
    } else if (length >= 8) {
        uint64_t a = GET(word8, from), b = GET(word8, from_end - 8);
        PUT(word8, to, a);
        PUT(word8, to_end - 8, b);
    } else if (length >= 4) {
        uint32_t a = GET(word4, from), b = GET(word4, from_end - 4);
        PUT(word4, to, a);
        PUT(word4, to_end - 4, b);
    } else if (length >= 2) {
        uint16_t a = GET(word2, from), b = GET(word2, from_end - 2);
        PUT(word2, to, a);
        PUT(word2, to_end - 2, b);
    } else if (length) {
        *to = *from;
    }
}

static void copy_up(unsigned char *to, const unsigned char *from, size_t length)
{
    unsigned char *to_end = to + length;
    const unsigned char *from_end = from + length;
    vector w = GET(vector, from_end - 64), x = GET(vector, from_end - 48);
    vector y = GET(vector, from_end - 32), z = GET(vector, from_end - 16);
    for (; length > 64; to += 64, from += 64, length -= 64) {
        vector a = GET(vector, from), b = GET(vector, from + 16);
        vector c = GET(vector, from + 32), d = GET(vector, from + 48);
        PUT(vector, to, a);
        PUT(vector, to + 16, b);
        PUT(vector, to + 32, c);
        PUT(vector, to + 48, d);
    }
    PUT(vector, to_end - 64, w);
    PUT(vector, to_end - 48, x);
    PUT(vector, to_end - 32, y);
    PUT(vector, to_end - 16, z);
}

static void copy_down(unsigned char *to, const unsigned char *from, size_t length)
{
    unsigned char *to_end = to + length;
    const unsigned char *from_end = from + length;
    vector w = GET(vector, from), x = GET(vector, from + 16);
    vector y = GET(vector, from + 32), z = GET(vector, from + 48);
    for (; length > 64; to_end -= 64, from_end -= 64, length -= 64) {
        vector a = GET(vector, from_end - 16), b = GET(vector, from_end - 32);
        vector c = GET(vector, from_end - 48), d = GET(vector, from_end - 64);
        PUT(vector, to_end - 16, a);
        PUT(vector, to_end - 32, b);
        PUT(vector, to_end - 48, c);
        PUT(vector, to_end - 64, d);
    }
    PUT(vector, to, w);
    PUT(vector, to + 16, x);
    PUT(vector, to + 32, y);
    PUT(vector, to + 48, z);
}

void *memmove(void *to, const void *from, size_t length)
{
    unsigned char *target = to;
    const unsigned char *source = from;
    if (length <= 64)
        copy_short(target, source, length);
    else if ((size_t)(target - source) < length)
        copy_down(target, source, length);
    else if (length >= LONG && (size_t)(source - target) >= length)
        __asm__ volatile("rep movsb" : "+D"(target), "+S"(source), "+c"(length) : : "memory");
    else
        copy_up(target, source, length);
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
    unsigned char *target = to;
    const unsigned char *source = from;
    if (length <= 64)
        copy_short(target, source, length);
    else if (length >= LONG)
        __asm__ volatile("rep movsb" : "+D"(target), "+S"(source), "+c"(length) : : "memory");
    else
        copy_up(target, source, length);
    return to;
}

void *memset(void *to, int byte, size_t length)
{
    unsigned char *target = to, *end = target + length;
    uint64_t word = 0x0101010101010101u * (unsigned char)byte;
    if (length >= LONG) {
        __asm__ volatile("rep stosb" : "+D"(target), "+c"(length) : "a"(byte) : "memory");
    } else if (length >= 16) {
        vector all = {(long long)word, (long long)word};
        for (; end - target > 16; target += 16)
            PUT(vector, target, all);
        PUT(vector, end - 16, all);
    } else if (length >= 8) {
        PUT(word8, target, word);
        PUT(word8, end - 8, word);
    } else if (length >= 4) {
        PUT(word4, target, (uint32_t)word);
        PUT(word4, end - 4, (uint32_t)word);
    } else if (length) {
        target[0] = target[length / 2] = end[-1] = (unsigned char)byte;
    }
    return to;
}

int memcmp(const void *one, const void *other, size_t length)
{
    const unsigned char *a = one, *b = other;
    for (; length >= 8; a += 8, b += 8, length -= 8) {
        uint64_t x = GET(word8, a), y = GET(word8, b);
        if (x != y) {
            x = __builtin_bswap64(x);
            y = __builtin_bswap64(y);
            return x < y ? -1 : 1;
        }
    }
    for (; length; a++, b++, length--)
        if (*a != *b)
            return *a - *b;
    return 0;
}

int bcmp(const void *one, const void *other, size_t length)
{
    return memcmp(one, other, length);
}
