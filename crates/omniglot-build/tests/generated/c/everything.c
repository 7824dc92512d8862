#include "everything.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

async_res_t async_print(int value) { return (async_res_t)value; }

bool flag(bool value) { return !value; }

gboolean is_even(int number) { return number < 0 ? number : number % 2 == 0; }

int count_true(const gboolean *values, int count)
{
    int sum = 0;
    while (count--)
        sum += *values++;
    return sum;
}

bool *raw_bool(int value)
{
    static bool raw;
    memset(&raw, value, sizeof raw);
    return &raw;
}

enum permissions both(enum permissions first, enum permissions second) { return first | second; }

static rect_t kept;

rect_t grow(rect_t rect, float factor)
{
    rect.corner.x *= factor;
    for (int i = 0; i < 3; i++)
        rect.weights[i] += i;
    kept = rect;
    return rect;
}

rect_t *last_rect(int state)
{
    kept.state = (async_res_t)state;
    return &kept;
}

int sum_of_parts(struct packet packet, struct bits bits, const struct exotic *exotic)
{
    return packet.kind + packet.length + bits.a + bits.b + bits.c + (exotic ? exotic->before : 0);
}

long long sum_of_bits(struct options options, union word word, struct tight tight)
{
    return options.level + 10 * options.offset + 100 * options.set + 1000 * (int)options.way
        + (long long)options.big + 10000 * options.state + 100000 * word.low
        + (long long)tight.most + 1000000 * tight.rest;
}

struct options make_options(int level, int offset, int state)
{
    return (struct options){ level, offset, true, BACK, 1ull << 39, (async_res_t)state };
}

union number make_number(double d) { return (union number){ .d = d }; }
double read_number(union number number) { return number.d; }
struct value make_value(int whole) { return (struct value){ .tag = 1, .whole = whole }; }

double many(int8_t a, uint16_t b, int64_t c, float d, double e, char *f, unsigned char g, short h,
            size_t i, bool j, long k, struct point l)
{
    return e + a + b + c + d + strlen(f) + g + h + i + j + k + l.x + l.y;
}

int for_each(on_point callback, void *user, int count)
{
    int sum = 0;
    for (int i = 0; i < count; i++)
        sum += callback(user, (struct point){ i, 10 * i }, i % 2 ? FORTH : BACK);
    return sum;
}

int with_handlers(const struct handlers *handlers)
{
    return handlers->handler(handlers->user, (struct point){ 1, 2 }, STAY);
}

static int handler(void *user, struct point point, enum direction direction)
{
    return (user != 0) + point.x + point.y + direction;
}

on_point own_handler(void) { return handler; }

int by_size(const int *left, const int *right) { return (*left > *right) - (*left < *right); }

int sort(int *numbers, size_t count, int (*order)(const void *, const void *))
{
    qsort(numbers, count, sizeof *numbers, order);
    return count ? numbers[0] : 0;
}

void reader_fail(struct reader *reader, int position)
{
    reader->position = position;
    longjmp(reader->on_error, 1);
}

int reader_next(struct reader *reader, int count)
{
    if (count < 0)
        reader_fail(reader, -1);
    if (reader->progress)
        reader->progress(reader, count);
    return reader->position += count;
}

int counter = 7;
async_res_t never_valid = (async_res_t)7;
const char *const names[3] = { "one", "two", "three" };
void fail_with(int number) { errno = number; }

struct database { int size; };

database *database_open(char **error)
{
    static struct database only = { 5 };
    if (error)
        *error = "no error";
    return &only;
}

int database_size(const database *db) { return db->size; }
/* Writes the source twice; lies about the length when the source says so. */
int repeat(unsigned char *dest, unsigned long *dest_len, const unsigned char *source,
           unsigned long source_len)
{
    unsigned long room = *dest_len;
    *dest_len = 2 * source_len;
    if (source_len && source[0] == 'L') {
        *dest_len = room + 1;
        return 0;
    }
    if (room < 2 * source_len)
        return -5;
    memcpy(dest, source, source_len);
    memcpy(dest + source_len, source, source_len);
    return 0;
}

const char *repeat_error(int status) { return status == -5 ? "no room" : "unknown"; }

int checksum(unsigned char *out, size_t out_len, const void *in, unsigned long long in_len,
             const unsigned char *key, size_t key_len)
{
    unsigned char sum = key ? 100 + key_len : 0;
    for (unsigned long long i = 0; i < in_len; i++)
        sum += ((const unsigned char *)in)[i];
    memset(out, sum, out_len);
    return out_len == 0;
}

void add_to(double *left, const double *right, int count, const double factors[2])
{
    for (int i = 0; i < count; i++)
        left[i] = factors[0] * left[i] + factors[1] * right[i];
}

int measure(const char *name, const char *unit, int *width, async_res_t *state)
{
    *width = strlen(name) + (unit ? 10 * strlen(unit) : 0);
    *state = (async_res_t)(name[0] - '0');
    return *width - 3;
}

const char *greeting(int valid) { return valid ? "good day" : "\xff"; }

int match(int type, int self) { return 10 * type + self; }
int read(int fd) { return fd + 1; }
int add_all(const char *kinds, ...)
{
    va_list rest;
    va_start(rest, kinds);
    int sum = 0;
    for (; *kinds; kinds++)
        sum += *kinds == 'i' ? va_arg(rest, int)
             : *kinds == 'd' ? (int)va_arg(rest, double)
                             : (int)strlen(va_arg(rest, char *));
    va_end(rest);
    return sum;
}

int print(const char *format, ...) { return format != 0; }

long double halved(long double x) { return x / 2; }
double whole_part(long double x) { return (double)(long long)x; }
double _Complex turned(double _Complex z) { return z * (__extension__ 1.0i); }
unsigned __int128 product(unsigned __int128 left, __int128 right) { return left * right; }
wchar_t next_letter(wchar_t letter) { return letter + 1; }

struct item { int value; };
static int alive;
item *item_new(int value)
{
    if (value < 0)
        return NULL;
    item *new = malloc(sizeof *new);
    new->value = value;
    alive++;
    return new;
}
/* Makes one even where it fails, as some libraries do. */
int item_open(int value, item **result)
{
    *result = item_new(value);
    return value > 100 ? -1 : 0;
}
int item_value(const item *item) { return item->value; }
int item_free(item *item)
{
    int value = item->value;
    free(item);
    alive--;
    return value;
}
int items_alive(void) { return alive; }

static const struct device *mounted;
int device_mount(const struct device *device)
{
    mounted = device;
    return device->block_size;
}
int device_copy(int from, int to)
{
    unsigned char block[64];
    int status = mounted->read(mounted, from, block, mounted->block_size);
    if (status == 0)
        status = mounted->write(mounted, to, block, mounted->block_size);
    if (status == 0)
        mounted->flush();
    return status;
}

long total(const int *values, int count)
{
    long sum = 0;
    for (int i = 0; i < count; i++)
        sum += values[i];
    return sum;
}
void scale(double *values, int count, double factor)
{
    for (int i = 0; i < count; i++)
        values[i] *= factor;
}
int x_or(const struct point *point, int otherwise) { return point ? point->x : otherwise; }
int y_or(const struct point *point, int otherwise) { return point ? point->y : otherwise; }
void *keep_address(void (*destructor)(void *)) { return (void *)destructor; }
