/* Small programs that exercise what compilers make of C. Each reads its input, writes its output,
   and returns how much it wrote. They need no C library but for memcpy and its like. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#define PROGRAM(name) \
    long name(const unsigned char *in, long length, unsigned char *out, long capacity)

static unsigned char *put(unsigned char *out, uint64_t number)
{
    for (int i = 0; i < 8; i++)
        *out++ = (unsigned char)(number >> 8 * i);
    return out;
}

/* Jump tables, dense and sparse, with values that live across the jumps. */
__attribute__((noinline)) static uint64_t step(uint64_t state, int operation, uint64_t a, uint64_t b,
                                               uint64_t c, uint64_t d)
{
    switch (operation) {
    case 0: return state + a;
    case 1: return state ^ (b << 3);
    case 2: return state * 31 + c;
    case 3: return state - d * a;
    case 4: return (state << 7 | state >> 57) + b;
    case 5: return a % (c | 1) + state;
    case 6: return state / (d | 1);
    case 7: return ~state;
    case 8: return state & (a | b | c | d);
    case 9: return state + (a * b) - (c * d);
    case 100: return state | 1;
    case 101: return state + 3;
    case 1000: return 5;
    default: return state + 77;
    }
}

PROGRAM(switches)
{
    uint64_t state = 1;
    unsigned char *start = out;
    for (long i = 0; i + 4 < length && out + 8 <= start + capacity; i++) {
        state = step(state, in[i] % 12 + (in[i] > 250 ? 89 : 0), in[i + 1], in[i + 2], in[i + 3], i);
        if (i % 64 == 0)
            out = put(out, state);
    }
    return out - start;
}

/* Calls through pointers, and sorting with one. */
typedef int (*order)(const void *, const void *);
static int up(const void *a, const void *b)
{
    return *(const unsigned char *)a - *(const unsigned char *)b;
}
static int down(const void *a, const void *b) { return up(b, a); }
static const order orders[] = {up, down};
order volatile chosen = up;

static void sort(unsigned char *what, long length, order by)
{
    for (long gap = length / 2; gap > 0; gap /= 2)
        for (long i = gap; i < length; i++)
            for (long j = i - gap; j >= 0 && by(what + j, what + j + gap) > 0; j -= gap) {
                unsigned char t = what[j];
                what[j] = what[j + gap];
                what[j + gap] = t;
            }
}

PROGRAM(pointers)
{
    long half = length < capacity ? length / 2 : capacity / 2;
    for (long i = 0; i < 2 * half; i++)
        out[i] = in[i];
    sort(out, half, orders[length % 2 + 1 - length % 2]);
    sort(out + half, half, chosen);
    return 2 * half;
}

/* Recursion, deep and with large frames. */
__attribute__((noinline)) static long fibonacci(long n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}
__attribute__((noinline)) static uint64_t frames(const unsigned char *in, int depth)
{
    volatile unsigned char frame[300];
    for (int i = 0; i < 300; i++)
        frame[i] = in[(i * 7 + depth) & 0xff];
    uint64_t below = depth ? frames(in, depth - 1) : 1;
    for (int i = 0; i < 300; i++)
        below = below * 33 + frame[i];
    return below;
}

PROGRAM(recursion)
{
    unsigned char *start = out;
    out = put(out, (uint64_t)fibonacci(20));
    return put(out, frames(in, length > 256 ? 200 : 1)) - start;
}

/* Frames whose size is only known at run time, and large ones. */
__attribute__((noinline)) static uint64_t variable(const unsigned char *in, long length)
{
    unsigned char copy[length];
    for (long i = 0; i < length; i++)
        copy[length - 1 - i] = in[i];
    uint64_t sum = 0;
    for (long i = 0; i < length; i++)
        sum = sum * 131 + copy[i];
    unsigned char *more = __builtin_alloca(length / 2 + 1);
    for (long i = 0; i <= length / 2; i++)
        more[i] = copy[i];
    return sum + more[length / 3];
}
__attribute__((noinline)) static uint64_t large(const unsigned char *in, long length)
{
    unsigned char copy[200000];
    for (long i = 0; i < (long)sizeof copy; i++)
        copy[i] = in[i % length] ^ (unsigned char)i;
    uint64_t sum = 0;
    for (unsigned i = 0; i < sizeof copy; i += 7)
        sum = sum * 257 + copy[i];
    return sum;
}
__attribute__((noinline)) static uint64_t aligned(const unsigned char *in)
{
    struct { _Alignas(64) unsigned char bytes[128]; } a;
    for (int i = 0; i < 128; i++)
        a.bytes[i] = in[i & 31];
    __asm__ volatile("" : : "r"(&a) : "memory");
    return ((uintptr_t)&a & 63) + a.bytes[77];
}

PROGRAM(stacks)
{
    unsigned char *start = out;
    out = put(out, variable(in, length < 1000 ? length : 1000));
    out = put(out, large(in, length));
    return put(out, aligned(in)) - start;
}

/* Variadic functions, which save argument registers, and structures by value. */
struct pair { uint64_t a; double b; };
struct big { uint64_t words[9]; };
__attribute__((noinline)) static uint64_t many(int count, ...)
{
    va_list list;
    va_start(list, count);
    uint64_t sum = 0;
    for (int i = 0; i < count; i++) {
        if (i % 3 == 2)
            sum += (uint64_t)(va_arg(list, double) * 16);
        else
            sum = sum * 3 + va_arg(list, uint64_t);
    }
    va_end(list);
    return sum;
}
__attribute__((noinline)) static struct pair swap(struct pair p)
{
    return (struct pair){(uint64_t)p.b, (double)p.a};
}
__attribute__((noinline)) static struct big shift(struct big b, int by)
{
    struct big result;
    for (int i = 0; i < 9; i++)
        result.words[i] = b.words[(i + by) % 9] + (uint64_t)i;
    return result;
}

PROGRAM(arguments)
{
    unsigned char *start = out;
    uint64_t a = in[0], b = in[1], c = in[2];
    out = put(out, many(9, a, b, 1.5 * c, b, c, 2.25 * a, c, a, 0.5 * b));
    struct pair p = swap((struct pair){a + 5, (double)b + 0.75});
    out = put(out, p.a + (uint64_t)(p.b * 4));
    struct big s = {{a, b, c, a + b, b + c, a + c, 7, 8, 9}};
    s = shift(s, in[3] % 9);
    for (int i = 0; i < 9; i++)
        out = put(out, s.words[i]);
    return out - start;
}

/* Floating point, with the x87 unit, and 128-bit integers. */
PROGRAM(numbers)
{
    unsigned char *start = out;
    double sum = 0;
    float product = 1;
    long double wide = 1;
    unsigned __int128 huge = 1;
    for (long i = 0; i < length; i++) {
        sum += in[i] / 3.0;
        product = product * (1 + in[i] / 1024.0f) - product / 512;
        wide = wide + in[i] / 7.0L;
        huge = huge * 1000003 + in[i];
    }
    out = put(out, (uint64_t)(sum * 1000));
    out = put(out, (uint64_t)(int64_t)(product > 1e9f ? 1e9f : product));
    out = put(out, (uint64_t)(wide * 1000));
    out = put(out, (uint64_t)huge);
    out = put(out, (uint64_t)(huge >> 64));
    out = put(out, (uint64_t)(huge / 1234567890123456789));
    return out - start;
}

/* Addresses of labels. */
PROGRAM(gotos)
{
    static const void *const labels[] = {&&add, &&twice, &&mix, &&drop};
    unsigned char *start = out;
    uint64_t state = 7;
    long i = 0;
#define NEXT if (i >= length) goto end; goto *labels[in[i++] & 3]
    NEXT;
add: state += (uint64_t)i; NEXT;
twice: state = state * 2 + 1; NEXT;
mix: state ^= state >> 9; NEXT;
drop: state -= 3; NEXT;
end:
    return put(out, state) - start;
}

/* Thread-local data. */
static __thread uint64_t counter = 40;
static __thread unsigned char seen[256];
__thread uint64_t shared_counter = 2;
PROGRAM(locals)
{
    unsigned char *start = out;
    counter = 40;
    shared_counter = 2;
    for (int i = 0; i < 256; i++)
        seen[i] = 0;
    for (long i = 0; i < length; i++) {
        counter += !seen[in[i]]++;
        shared_counter = shared_counter * 3 + counter;
    }
    out = put(out, counter);
    return put(out, shared_counter) - start;
}

/* Copies and fills of constant and variable length, also by the processor's string instructions. */
struct blob { unsigned char bytes[777]; };
PROGRAM(copies)
{
    static struct blob one, other;
    long some = length < 777 ? length : 777;
    for (long i = 0; i < 777; i++)
        one.bytes[i] = i < some ? in[i] : 1;
    other = one;
    __builtin_memset(one.bytes + 9, 3, (size_t)some / 3);
    __builtin_memmove(other.bytes + 5, other.bytes, 700);
    __builtin_memmove(other.bytes, other.bytes + 11, 600);
    __builtin_memcpy(out, &one, sizeof one);
    __builtin_memcpy(out + sizeof one, &other, sizeof other);
    unsigned char *to = out + 2 * sizeof one;
    const unsigned char *from = in;
    size_t count = (size_t)some;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    count = 33;
    __asm__ volatile("rep stosq" : "+D"(to), "+c"(count) : "a"(0x1122334455667788) : "memory");
    from = in + some;
    *to++ = (unsigned char)__builtin_memcmp(out, out + sizeof one, sizeof one) >> 7;
    (void)capacity;
    return to - out;
}

/* Locals that live across calls of small functions in this file, whose register use gcc knows. */
__attribute__((noinline)) static uint64_t leaf(uint64_t a, uint64_t b) { return a * 5 + b; }
PROGRAM(registers)
{
    uint64_t a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8, i = 9, j = 10;
    for (long at = 0; at < length; at++) {
        a += leaf(in[at], b); b ^= leaf(c, d); c += leaf(e, f); d -= leaf(g, h);
        e += i ^ j; f += leaf(a, j); g ^= leaf(b, i); h += leaf(c, e); i -= d; j += f;
    }
    unsigned char *start = out;
    return put(put(put(out, a + b), c + d + e), f ^ g ^ h ^ i ^ j) - start;
}

/* A jump table where almost no register is free. */
PROGRAM(crowded)
{
    uint64_t a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8;
    unsigned char *start = out;
    for (long i = 0; i < length; i++) {
        uint64_t x = in[i];
        switch (x) {
        case 0: a += x + b; break;
        case 1: b ^= x * c; c++; break;
        case 2: c -= d + x; a ^= h; break;
        case 3: d = d * 3 + x; break;
        case 4: e += f ^ x; g -= a; break;
        case 5: f = (f << 5 | f >> 59) + x; break;
        case 6: g += h * x; b += e; break;
        case 7: h ^= a + x; break;
        case 8: a -= g; d ^= x; break;
        case 9: e = e * x + c; break;
        case 10: f += b - x; h += d; break;
        case 11: g ^= e; c += x * x; break;
        default: a += x; h -= x * b; break;
        }
    }
    return put(put(put(out, a + b), c ^ d ^ e), f + g - h) - start;
}

/* Constructors, which run before everything else. */
static uint64_t built;
__attribute__((constructor)) static void build(void) { built = 0x600d; }
PROGRAM(constructed)
{
    return put(out, built) - out;
}
