#ifndef EVERYTHING_H
#define EVERYTHING_H
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wchar.h>

/** What became of it. See [nothing](http://example.com), `x` and <b>bold</b>.
 *
 *     indented(); // no doctest
 */
typedef enum { ASYNC_PENDING, ASYNC_DONE, ASYNC_FAILED } async_res_t;
enum direction { BACK = -1, STAY = 0, FORTH = 1, AHEAD = 1 };
enum permissions { MAY_READ = 1, MAY_WRITE = 2 };
enum { BUFFER_SIZE = 64 };
#define VERSION "1.2.3"

async_res_t async_print(int value);
bool flag(bool value);
typedef int gboolean;
gboolean is_even(int number);
int count_true(const gboolean *values, int count);
bool *raw_bool(int value);
enum permissions both(enum permissions first, enum permissions second);

struct point { int x; int y; };
typedef struct { char type; struct point corner; async_res_t state; double weights[3]; } rect_t;
rect_t grow(rect_t rect, float factor);
rect_t *last_rect(int state);

struct __attribute__((packed)) packet { uint8_t kind; uint32_t length; };
struct bits { unsigned a : 3; unsigned b : 5; int c; };
struct options {
    unsigned level : 3; int offset : 5; bool set : 1; enum direction way : 2;
    unsigned : 0;
    unsigned long long big : 40; async_res_t state : 2;
};
union word { unsigned whole; unsigned low : 4; };
struct __attribute__((packed)) tight { char before; unsigned long most : 62; unsigned rest : 9; };
long long sum_of_bits(struct options options, union word word, struct tight tight);
struct options make_options(int level, int offset, int state);
struct exotic { int before; long double number; };
int sum_of_parts(struct packet packet, struct bits bits, const struct exotic *exotic);

union number { int i; double d; bool flag; };
union number make_number(double d);
double read_number(union number number);

struct value { int tag; union { int whole; float part; }; };
struct value make_value(int whole);

double many(int8_t a, uint16_t b, int64_t c, float d, double e, char *f, unsigned char g, short h,
            size_t i, bool j, long k, struct point l);

typedef int (*on_point)(void *user, struct point point, enum direction direction);
struct handlers { on_point handler; void (*log)(const char *format, ...); void *user; };
int for_each(on_point callback, void *user, int count);
int with_handlers(const struct handlers *handlers);
on_point own_handler(void);
int by_size(const int *left, const int *right);
int sort(int *numbers, size_t count, int (*order)(const void *, const void *));

struct reader { jmp_buf on_error; int position; void (*progress)(struct reader *, int); };
int reader_next(struct reader *reader, int count);
void reader_fail(struct reader *reader, int position) __attribute__((noreturn));

static inline int twice(int x) { return 2 * x; }
extern int counter;
extern async_res_t never_valid;
extern const char *const names[3];
void fail_with(int number);

typedef struct database database;
database *database_open(char **error);
int database_size(const database *db);

int repeat(unsigned char *dest, unsigned long *dest_len, const unsigned char *source,
           unsigned long source_len);
const char *repeat_error(int status);
int checksum(unsigned char *out, size_t out_len, const void *in, unsigned long long in_len,
             const unsigned char *key, size_t key_len);
void add_to(double *left, const double *right, int count, const double factors[2]);
int measure(const char *name, const char *unit, int *width, async_res_t *state);
const char *greeting(int valid);

int match(int type, int self);
int read(int fd);
int print(const char *format, ...);
int add_all(const char *kinds, ...);
#define POINT_SUM(point, factor) (((point)->x + (point)->y) * (factor))
int never_defined(void);

/* Numbers that only C can calculate with, and wide ones. */
long double halved(long double x);
double whole_part(long double x);
double _Complex turned(double _Complex z);
unsigned __int128 product(unsigned __int128 left, __int128 right);
wchar_t next_letter(wchar_t letter);

/* Objects with an owner. */
typedef struct item item;
item *item_new(int value);
int item_open(int value, item **result);
int item_value(const item *item);
int item_free(item *item);
int items_alive(void);

/* A driver that is kept. */
struct device {
    int (*read)(const struct device *device, int block, unsigned char *room, int size);
    int (*write)(const struct device *device, int block, const unsigned char *data, int size);
    void (*flush)(void);
    int block_size;
};
int device_mount(const struct device *device);
int device_copy(int from, int to);

/* What the header says itself. */
#ifndef __counted_by
#define __counted_by(count)
#endif
#ifndef __clang__
#define _Nullable
#endif
long total(const int *__counted_by(count) values, int count) __attribute__((warn_unused_result));
void scale(double *__counted_by(count) values, int count, double factor);
int x_or(const struct point *_Nullable point, int otherwise);
int y_or(const struct point *point, int otherwise);
void *keep_address(void (*destructor)(void *));
#endif
