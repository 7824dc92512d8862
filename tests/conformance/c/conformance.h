/* The library that the conformance suite calls. It behaves well, except for some functions that
 * violate this header on purpose.
 *
 * It needs only a C compiler and a small libc, so it also runs without an operating system. */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers. `which_*` returns which end of the range a value is: -1 for the least, 1 for the
 * greatest, 0 for neither. `end_*` returns the least or the greatest. */

#define NUMBER(name, type)         \
    type echo_##name(type value);  \
    int which_##name(type value);  \
    type end_##name(bool greatest)

NUMBER(i8, int8_t);
NUMBER(i16, int16_t);
NUMBER(i32, int32_t);
NUMBER(i64, int64_t);
NUMBER(u8, uint8_t);
NUMBER(u16, uint16_t);
NUMBER(u32, uint32_t);
NUMBER(u64, uint64_t);
NUMBER(char, char);
NUMBER(schar, signed char);
NUMBER(uchar, unsigned char);
NUMBER(short, short);
NUMBER(ushort, unsigned short);
NUMBER(int, int);
NUMBER(uint, unsigned int);
NUMBER(long, long);
NUMBER(ulong, unsigned long);
NUMBER(longlong, long long);
NUMBER(ulonglong, unsigned long long);
NUMBER(size, size_t);
NUMBER(distance, ptrdiff_t);

float echo_float(float value);
uint32_t float_bits(float value);
float float_of_bits(uint32_t bits);
double echo_double(double value);
uint64_t double_bits(double value);
double double_of_bits(uint64_t bits);

bool negate(bool value);
/* Returns a bool with these bits. */
bool bool_of_bits(uint8_t bits);

/* Enums. */

typedef enum { SUCCESS = 0, FAILURE = 1, PENDING = 2 } async_res_t;

/* Returns the value of rand(). */
async_res_t async_print(const uint8_t *msg, size_t size);
async_res_t async_print_returns(int value);

typedef enum { RED = 1, GREEN = 10, BLUE = 100 } Colour;

Colour echo_colour(Colour colour);
int colour_number(Colour colour);
Colour colour_of_number(int number);
/* Writes any number to the place of a Colour. */
void colour_into(Colour *into, int number);

typedef enum { BELOW = -1, LEVEL = 0, ABOVE = 1 } Side;

Side side_of_number(int number);

typedef enum { LOW = 0, HIGH = 0xffffffff } Wide;

Wide wide_of_number(uint32_t number);

/* Structs. */

typedef struct {
    uint8_t small;
    uint32_t large;
} Pair;

Pair swap_pair(Pair pair); /* swaps the two values, each cut to its new size */
Pair make_pair(uint8_t small, uint32_t large);

typedef struct {
    uint8_t first;
    uint64_t second;
    uint16_t third;
} Padded;

Padded next_padded(Padded padded); /* adds one to every field */
void next_padded_at(Padded *padded);
bool padding_is_zero(const Padded *padded, size_t count);
void fill_with_ones(Padded *padded, size_t count); /* including padding */

typedef struct {
    uint64_t words[32];
} Large;

Large reverse_large(Large large);

typedef struct {
    float x;
    float y;
} FloatPair;

typedef struct {
    float number;
    int32_t integer;
} FloatAndInt;

typedef struct {
    int64_t integer;
    double number;
} IntAndDouble;

typedef struct {
    uint8_t tag;
    double first;
    float second;
    int16_t third;
} Mixed;

FloatPair swap_float_pair(FloatPair pair);
FloatAndInt swap_float_and_int(FloatAndInt both);
IntAndDouble swap_int_and_double(IntAndDouble both);
Mixed next_mixed(Mixed mixed);

typedef union {
    uint64_t whole;
    double real;
    uint8_t bytes[8];
} Number;

Number number_of_real(double real);
double real_of_number(Number number);

/* Structs with values that can be invalid, at every depth. */

typedef struct {
    Colour colour;
    bool set;
} Mark;

typedef struct {
    uint16_t id;
    Mark marks[3];
    bool flags[4];
    struct Corner {
        uint8_t filler;
        Side side;
    } corner;
} Sheet;

Sheet sample_sheet(void);
Sheet echo_sheet(Sheet sheet);
bool sheets_equal(const Sheet *one, const Sheet *other);
/* A valid sheet, except for the byte (or number) at one place. */
#define SHEET_PLACES 11 /* three colours, their flags, four flags, a side */
void spoil_sheet(Sheet *sheet, uint32_t place, int number);
Sheet spoiled_sheet(uint32_t place, int number);
Mark mark_of_bits(int colour, uint8_t set);

/* Arguments. */

int64_t weigh_integers(int8_t a, uint16_t b, int32_t c, uint64_t d, int8_t e, uint16_t f, int32_t g, int64_t h,
                       uint8_t i, int16_t j);
double weigh_doubles(double a, double b, double c, double d, double e, double f, double g, double h, double i,
                     double j);
double weigh_mixture(int32_t a, double b, uint8_t c, float d, int64_t e, double f, int16_t g, float h, uint32_t i,
                     double j, int8_t k, double l, uint64_t m, float n, int32_t o, double p);
double weigh_structs(Pair a, Mixed b, FloatPair c, Large d, IntAndDouble e, Padded f, Pair g);

/* Pointers. */

int32_t read_int(const int32_t *from);
void write_int(int32_t *into, int32_t value);
bool is_null(const void *pointer);
void *echo_pointer(void *pointer);
int32_t *pointer_of_number(uintptr_t number);
void divide_into(int32_t a, int32_t b, int32_t *quotient, int32_t *remainder);
int64_t sum(const int32_t *numbers, size_t count);
void count_up(int32_t *numbers, size_t count, int32_t first);
void write_through(int32_t **pointer, int32_t value); /* writes through both pointers */
int32_t *dangling(void);
int32_t *static_numbers(size_t *count); /* 1, 2, 3, ... */
size_t count_bytes(const uint8_t *from, size_t size, uint8_t byte);
size_t longest_run(const uint8_t *from, size_t size, uint8_t byte);

typedef struct Node {
    int32_t value;
    struct Node *next;
} Node;

Node *sample_list(void); /* 1, 2, 3 */
Node *endless_list(void);

/* Strings. */

const char *greeting(void);   /* "hello from C" */
const char *long_text(void);  /* 1000 letters */
const char *latin_text(void); /* not UTF-8 */
const char *empty_text(void);
size_t text_length(const char *text);
void upper_case(char *text);

/* State. */

extern int32_t counter;
int32_t count_once(void);
int32_t fail_with(int error_number); /* sets errno */
/* Copies a secret of at most 64 bytes to the heap, the stack and a global. */
void remember(const uint8_t *secret, size_t size);
uint8_t recall(size_t index); /* a byte of it if heap and global agree, else 0 */

#define CONFORMANCE_ANSWER 42
#define CONFORMANCE_NAME "conformance"

static inline int32_t twice(int32_t value)
{
    return 2 * value;
}

/* Callbacks. */

typedef int32_t (*IntCallback)(int32_t value);
typedef void (*VoidCallback)(void);
typedef double (*FloatCallback)(float a, double b, int8_t c, uint64_t d);
typedef bool (*BoolCallback)(bool value);
typedef Colour (*ColourCallback)(Colour colour);
typedef Sheet (*SheetCallback)(Sheet sheet);
typedef int32_t *(*PointerCallback)(int32_t *pointer, const char *text);

int32_t call_int(IntCallback callback, int32_t value);
int32_t call_each(IntCallback callback, const int32_t *values, size_t count);
void call_void(VoidCallback callback);
double call_float(FloatCallback callback);
bool call_bool(BoolCallback callback, bool value);
bool call_bool_bits(BoolCallback callback, uint8_t bits);
Colour call_colour(ColourCallback callback, Colour colour);
int call_colour_number(ColourCallback callback, int number);
Sheet call_sheet(SheetCallback callback, Sheet sheet);
void call_spoiled_sheet(SheetCallback callback, uint32_t place, int number);
int32_t *call_pointer_with(PointerCallback callback, int32_t *pointer, const char *text);
/* Returns the callback's result, as C sees it, plus one. */
int32_t call_and_add(IntCallback callback, int32_t value);
/* one(two(one(two(...value)))), with `levels` calls nested. */
int32_t call_in_turn(IntCallback one, IntCallback two, int32_t value);

typedef struct {
    IntCallback on_value;
    VoidCallback on_end;
    int32_t first;
} Handlers;

int32_t run_handlers(const Handlers *handlers, int32_t count);

void keep_callback(IntCallback callback);
IntCallback kept_callback(void);
int32_t call_kept(int32_t value);

IntCallback negation(void);
IntCallback function_of_number(uintptr_t number);
/* Returns a function of the library that calls the kept callback. */
IntCallback kept_caller(void);

/* Objects with a destructor. Each address is an object. The destructor works for a while, and
 * calls back, as was last configured. */

typedef struct Thing Thing;

void thing_end(Thing *thing);
void things_end_with(VoidCallback callback, uint32_t rounds);
uint32_t work(uint32_t rounds);

/* A library that reports errors by longjmp. */

typedef int32_t (*ReadCallback)(int32_t step);

typedef struct {
    jmp_buf escape;
    ReadCallback read;
    int32_t failure;
} Reader;

Reader *reader_open(ReadCallback read);
int32_t reader_sum(Reader *reader, int32_t steps);
void reader_fail(Reader *reader, int32_t failure);
int32_t reader_failure(const Reader *reader);
int32_t reader_fail_at(Reader *reader, int32_t step);
/* Fails as reader_fail does, but without a guard of its own: see build.rs. */
void leap(Reader *reader);

/* Misbehaviour that must not affect the host. */

void trap(void);
void overflow_stack(void);
void loop_forever(void);
void scribble(uint8_t *into, size_t size, uint8_t byte);

#endif
