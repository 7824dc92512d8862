#include "conformance.h"

#include <errno.h>
#include <float.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_FUNCTIONS(name, type, least, greatest_value)      \
    type echo_##name(type value) { return value; }               \
    int which_##name(type value)                                 \
    {                                                            \
        return value == (least) ? -1 : value == (greatest_value); \
    }                                                            \
    type end_##name(bool greatest) { return greatest ? (greatest_value) : (least); }

NUMBER_FUNCTIONS(i8, int8_t, INT8_MIN, INT8_MAX)
NUMBER_FUNCTIONS(i16, int16_t, INT16_MIN, INT16_MAX)
NUMBER_FUNCTIONS(i32, int32_t, INT32_MIN, INT32_MAX)
NUMBER_FUNCTIONS(i64, int64_t, INT64_MIN, INT64_MAX)
NUMBER_FUNCTIONS(u8, uint8_t, 0, UINT8_MAX)
NUMBER_FUNCTIONS(u16, uint16_t, 0, UINT16_MAX)
NUMBER_FUNCTIONS(u32, uint32_t, 0, UINT32_MAX)
NUMBER_FUNCTIONS(u64, uint64_t, 0, UINT64_MAX)
NUMBER_FUNCTIONS(char, char, CHAR_MIN, CHAR_MAX)
NUMBER_FUNCTIONS(schar, signed char, SCHAR_MIN, SCHAR_MAX)
NUMBER_FUNCTIONS(uchar, unsigned char, 0, UCHAR_MAX)
NUMBER_FUNCTIONS(short, short, SHRT_MIN, SHRT_MAX)
NUMBER_FUNCTIONS(ushort, unsigned short, 0, USHRT_MAX)
NUMBER_FUNCTIONS(int, int, INT_MIN, INT_MAX)
NUMBER_FUNCTIONS(uint, unsigned int, 0, UINT_MAX)
NUMBER_FUNCTIONS(long, long, LONG_MIN, LONG_MAX)
NUMBER_FUNCTIONS(ulong, unsigned long, 0, ULONG_MAX)
NUMBER_FUNCTIONS(longlong, long long, LLONG_MIN, LLONG_MAX)
NUMBER_FUNCTIONS(ulonglong, unsigned long long, 0, ULLONG_MAX)
NUMBER_FUNCTIONS(size, size_t, 0, SIZE_MAX)
NUMBER_FUNCTIONS(distance, ptrdiff_t, PTRDIFF_MIN, PTRDIFF_MAX)

float echo_float(float value)
{
    return value;
}

uint32_t float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double echo_double(double value)
{
    return value;
}

uint64_t double_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

double double_of_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

bool negate(bool value)
{
    return !value;
}

async_res_t async_print(const uint8_t *msg, size_t size)
{
    (void)msg;
    (void)size;
    return rand();
}

async_res_t async_print_returns(int value)
{
    return (async_res_t)value;
}

Colour echo_colour(Colour colour)
{
    return colour;
}

int colour_number(Colour colour)
{
    return (int)colour;
}

Colour colour_of_number(int number)
{
    return (Colour)number;
}

void colour_into(Colour *into, int number)
{
    *into = (Colour)number;
}

Side side_of_number(int number)
{
    return (Side)number;
}

Wide wide_of_number(uint32_t number)
{
    return (Wide)number;
}

Pair swap_pair(Pair pair)
{
    return make_pair((uint8_t)pair.large, pair.small);
}

Pair make_pair(uint8_t small, uint32_t large)
{
    return (Pair){small, large};
}

Padded next_padded(Padded padded)
{
    next_padded_at(&padded);
    return padded;
}

void next_padded_at(Padded *padded)
{
    padded->first++;
    padded->second++;
    padded->third++;
}

/* Returns whether this byte of a Padded belongs to no field. */
static bool is_padding(size_t offset)
{
    bool in_first = offset < offsetof(Padded, first) + sizeof(uint8_t);
    bool in_second = offset >= offsetof(Padded, second) && offset < offsetof(Padded, second) + sizeof(uint64_t);
    bool in_third = offset >= offsetof(Padded, third) && offset < offsetof(Padded, third) + sizeof(uint16_t);
    return !in_first && !in_second && !in_third;
}

bool padding_is_zero(const Padded *padded, size_t count)
{
    const uint8_t *bytes = (const uint8_t *)padded;
    for (size_t i = 0; i < count * sizeof *padded; i++)
        if (is_padding(i % sizeof *padded) && bytes[i])
            return false;
    return true;
}

void fill_with_ones(Padded *padded, size_t count)
{
    memset(padded, 0xff, count * sizeof *padded);
}

Large reverse_large(Large large)
{
    Large reversed;
    size_t count = sizeof large.words / sizeof *large.words;
    for (size_t i = 0; i < count; i++)
        reversed.words[i] = large.words[count - 1 - i];
    return reversed;
}

FloatPair swap_float_pair(FloatPair pair)
{
    return (FloatPair){pair.y, pair.x};
}

FloatAndInt swap_float_and_int(FloatAndInt both)
{
    return (FloatAndInt){(float)both.integer, (int32_t)both.number};
}

IntAndDouble swap_int_and_double(IntAndDouble both)
{
    return (IntAndDouble){(int64_t)both.number, (double)both.integer};
}

Mixed next_mixed(Mixed mixed)
{
    mixed.tag++;
    mixed.first++;
    mixed.second++;
    mixed.third++;
    return mixed;
}

Number number_of_real(double real)
{
    return (Number){.real = real};
}

double real_of_number(Number number)
{
    return number.real;
}

Sheet sample_sheet(void)
{
    return (Sheet){
        .id = 7,
        .marks = {{RED, true}, {GREEN, false}, {BLUE, true}},
        .flags = {true, false, false, true},
        .corner = {255, BELOW},
    };
}

Sheet echo_sheet(Sheet sheet)
{
    return sheet;
}

bool sheets_equal(const Sheet *one, const Sheet *other)
{
    bool equal = one->id == other->id && one->corner.filler == other->corner.filler &&
                 one->corner.side == other->corner.side;
    for (size_t i = 0; i < 3; i++)
        equal &= one->marks[i].colour == other->marks[i].colour && one->marks[i].set == other->marks[i].set;
    for (size_t i = 0; i < 4; i++)
        equal &= one->flags[i] == other->flags[i];
    return equal;
}

/* Writes a bool's byte: C itself could only store 0 or 1 through a bool. */
static void spoil_bool(bool *place, int number)
{
    memset(place, number, sizeof *place);
}

void spoil_sheet(Sheet *sheet, uint32_t place, int number)
{
    if (place < 3)
        sheet->marks[place].colour = (Colour)number;
    else if (place < 6)
        spoil_bool(&sheet->marks[place - 3].set, number);
    else if (place < 10)
        spoil_bool(&sheet->flags[place - 6], number);
    else
        sheet->corner.side = (Side)number;
}

Sheet spoiled_sheet(uint32_t place, int number)
{
    Sheet sheet = sample_sheet();
    spoil_sheet(&sheet, place, number);
    return sheet;
}

Mark mark_of_bits(int colour, uint8_t set)
{
    Mark mark = {(Colour)colour, false};
    spoil_bool(&mark.set, set);
    return mark;
}

/* Each argument has its own weight, so that swapped arguments change the sum. */
int64_t weigh_integers(int8_t a, uint16_t b, int32_t c, uint64_t d, int8_t e, uint16_t f, int32_t g, int64_t h,
                       uint8_t i, int16_t j)
{
    return a + 2 * (int64_t)b + 3 * (int64_t)c + 4 * (int64_t)d + 5 * e + 6 * (int64_t)f + 7 * (int64_t)g + 8 * h +
           9 * i + 10 * j;
}

double weigh_doubles(double a, double b, double c, double d, double e, double f, double g, double h, double i, double j)
{
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j;
}

double weigh_mixture(int32_t a, double b, uint8_t c, float d, int64_t e, double f, int16_t g, float h, uint32_t i,
                     double j, int8_t k, double l, uint64_t m, float n, int32_t o, double p)
{
    return a + 2 * b + 3 * c + 4 * d + 5 * (double)e + 6 * f + 7 * g + 8 * h + 9 * (double)i + 10 * j + 11 * k +
           12 * l + 13 * (double)m + 14 * n + 15 * (double)o + 16 * p;
}

double weigh_structs(Pair a, Mixed b, FloatPair c, Large d, IntAndDouble e, Padded f, Pair g)
{
    return a.small + 2.0 * a.large + 3 * b.first + 4 * c.y + 5 * (double)d.words[31] + 6 * e.number +
           7 * (double)e.integer + 8 * (double)f.second + 9 * g.small + 10.0 * g.large;
}

int32_t read_int(const int32_t *from)
{
    return *(const volatile int32_t *)from;
}

void write_int(int32_t *into, int32_t value)
{
    *(volatile int32_t *)into = value;
}

bool is_null(const void *pointer)
{
    return pointer == NULL;
}

void *echo_pointer(void *pointer)
{
    return pointer;
}

int32_t *pointer_of_number(uintptr_t number)
{
    return (int32_t *)number;
}

void divide_into(int32_t a, int32_t b, int32_t *quotient, int32_t *remainder)
{
    *quotient = a / b;
    if (remainder)
        *remainder = a % b;
}

int64_t sum(const int32_t *numbers, size_t count)
{
    int64_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += numbers[i];
    return total;
}

void count_up(int32_t *numbers, size_t count, int32_t first)
{
    for (size_t i = 0; i < count; i++)
        numbers[i] = first + (int32_t)i;
}

void write_through(int32_t **pointer, int32_t value)
{
    **pointer = value;
    *pointer = NULL;
}

int32_t *dangling(void)
{
    int32_t *volatile pointer = malloc(sizeof *pointer);
    free(pointer);
    return pointer;
}

int32_t *static_numbers(size_t *count)
{
    static int32_t numbers[100];
    *count = sizeof numbers / sizeof *numbers;
    count_up(numbers, *count, 1);
    return numbers;
}

size_t count_bytes(const uint8_t *from, size_t size, uint8_t byte)
{
    size_t found = 0;
    for (size_t i = 0; i < size; i++)
        found += from[i] == byte;
    return found;
}

size_t longest_run(const uint8_t *from, size_t size, uint8_t byte)
{
    size_t longest = 0;
    size_t run = 0;
    for (size_t i = 0; i < size; i++) {
        run = from[i] == byte ? run + 1 : 0;
        if (run > longest)
            longest = run;
    }
    return longest;
}

Node *sample_list(void)
{
    static Node nodes[3];
    nodes[0] = (Node){1, &nodes[1]};
    nodes[1] = (Node){2, &nodes[2]};
    nodes[2] = (Node){3, NULL};
    return nodes;
}

Node *endless_list(void)
{
    static Node node;
    node = (Node){5, &node};
    return &node;
}

const char *greeting(void)
{
    return "hello from C";
}

const char *long_text(void)
{
    static char text[1001];
    memset(text, 'x', sizeof text - 1);
    return text;
}

const char *latin_text(void)
{
    return "gr\xfc\xdf";
}

const char *empty_text(void)
{
    return "";
}

size_t text_length(const char *text)
{
    return strlen(text);
}

void upper_case(char *text)
{
    for (; *text; text++)
        if (*text >= 'a' && *text <= 'z')
            *text = (char)(*text - 'a' + 'A');
}

int32_t counter = 5;

int32_t count_once(void)
{
    return counter++;
}

int32_t fail_with(int error_number)
{
    errno = error_number;
    return -1;
}

int32_t call_int(IntCallback callback, int32_t value)
{
    return callback(value);
}

int32_t call_each(IntCallback callback, const int32_t *values, size_t count)
{
    int32_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += callback(values[i]);
    return total;
}

void call_void(VoidCallback callback)
{
    callback();
}

double call_float(FloatCallback callback)
{
    return callback(1.5f, -2.25, -3, UINT64_MAX);
}

bool call_bool(BoolCallback callback, bool value)
{
    return callback(value);
}

Colour call_colour(ColourCallback callback, Colour colour)
{
    return callback(colour);
}

int call_colour_number(ColourCallback callback, int number)
{
    return (int)callback((Colour)number);
}

Sheet call_sheet(SheetCallback callback, Sheet sheet)
{
    return callback(sheet);
}

void call_spoiled_sheet(SheetCallback callback, uint32_t place, int number)
{
    callback(spoiled_sheet(place, number));
}

int32_t *call_pointer_with(PointerCallback callback, int32_t *pointer, const char *text)
{
    return callback(pointer, text);
}

int32_t call_and_add(IntCallback callback, int32_t value)
{
    return callback(value) + 1;
}

int32_t call_in_turn(IntCallback one, IntCallback two, int32_t value)
{
    return value <= 0 ? 0 : one(value) + call_in_turn(two, one, value - 1);
}

int32_t run_handlers(const Handlers *handlers, int32_t count)
{
    int32_t total = 0;
    for (int32_t i = 0; i < count; i++)
        total += handlers->on_value(handlers->first + i);
    if (handlers->on_end)
        handlers->on_end();
    return total;
}

static IntCallback kept;

void keep_callback(IntCallback callback)
{
    kept = callback;
}

IntCallback kept_callback(void)
{
    return kept;
}

int32_t call_kept(int32_t value)
{
    return kept(value);
}

static VoidCallback ends_with_callback;
static uint32_t ends_with_rounds;

void thing_end(Thing *thing)
{
    (void)thing;
    work(ends_with_rounds);
    if (ends_with_callback)
        ends_with_callback();
}

void things_end_with(VoidCallback callback, uint32_t rounds)
{
    ends_with_callback = callback;
    ends_with_rounds = rounds;
}

uint32_t work(uint32_t rounds)
{
    uint32_t volatile result = 1;
    for (uint32_t round = 0; round < rounds; round++)
        result = result * 1664525 + 1013904223;
    return result;
}

static int32_t negative(int32_t value)
{
    return -value;
}

IntCallback negation(void)
{
    return negative;
}

IntCallback function_of_number(uintptr_t number)
{
    return (IntCallback)number;
}

IntCallback kept_caller(void)
{
    return call_kept;
}

Reader *reader_open(ReadCallback read)
{
    static Reader reader;
    reader.read = read;
    reader.failure = 0;
    return &reader;
}

int32_t reader_sum(Reader *reader, int32_t steps)
{
    int32_t total = 0;
    for (int32_t step = 0; step < steps; step++)
        total += reader->read(step);
    return total;
}

void reader_fail(Reader *reader, int32_t failure)
{
    reader->failure = failure;
    longjmp(reader->escape, 1);
}

void leap(Reader *reader)
{
    longjmp(reader->escape, 1);
}

int32_t reader_failure(const Reader *reader)
{
    return reader->failure;
}

int32_t reader_fail_at(Reader *reader, int32_t step)
{
    for (int32_t i = 0; i < step; i++)
        reader->failure = i;
    reader_fail(reader, step);
    return 0;
}

void trap(void)
{
    __builtin_trap();
}

static uint32_t fill(volatile uint8_t *outer);
/* A volatile pointer hides the recursion from the compiler, which would warn of it. */
static uint32_t (*volatile fill_more)(volatile uint8_t *outer) = fill;

static uint32_t fill(volatile uint8_t *outer)
{
    volatile uint8_t room[512];
    room[0] = *outer;
    return fill_more(room) + room[0];
}

void overflow_stack(void)
{
    uint8_t first = 0;
    fill(&first);
}

void loop_forever(void)
{
    for (;;)
        __asm__ volatile("");
}

void scribble(uint8_t *into, size_t size, uint8_t byte)
{
    memset(into, byte, size);
}

#define LONGEST_SECRET 64

static uint8_t remembered[LONGEST_SECRET];
static uint8_t *remembered_in_heap;

void remember(const uint8_t *secret, size_t size)
{
    volatile uint8_t on_stack[2048 + LONGEST_SECRET]; /* deep enough to survive later calls */
    size = size < LONGEST_SECRET ? size : LONGEST_SECRET;
    memcpy(remembered, secret, size);
    remembered_in_heap = malloc(size);
    if (remembered_in_heap)
        memcpy(remembered_in_heap, secret, size);
    for (size_t i = 0; i < size; i++)
        on_stack[i] = secret[i];
}

uint8_t recall(size_t index)
{
    if (!remembered_in_heap || index >= LONGEST_SECRET)
        return 0;
    return remembered[index] == remembered_in_heap[index] ? remembered[index] : 0;
}
