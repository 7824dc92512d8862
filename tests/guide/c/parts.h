/* The library that the guide's chapters use. */
#ifndef PARTS_H
#define PARTS_H

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

/* Memory and structs. */
struct part {
    char name[16];
    uint32_t count;
    struct part *next;
};
struct part *parts_first(void);
uint64_t parts_total(const uint32_t *counts, size_t length);
void parts_double(uint32_t *counts, size_t length);
uint32_t parts_add(struct part part);
int parts_bounds(const uint32_t *counts, size_t length, uint32_t *least, uint32_t *most);

/* Strings. */
const char *parts_title(void);
int parts_measure(const char *text);
int parts_longest(const char *const *names, size_t length);
void parts_label(char *room, size_t size);

/* Callbacks. */
typedef int parts_visit(const struct part *part, void *data);
int parts_each(parts_visit *visit, void *data);
typedef uint32_t parts_price(uint32_t count);
uint32_t parts_cost(parts_price *price);
void parts_on_change(parts_price *price);
uint32_t parts_change(uint32_t count);

/* Objects with an owner. */
struct parts_box;
struct parts_box *parts_box_new(uint32_t size);
void parts_box_free(struct parts_box *box);
int parts_box_put(struct parts_box *box, uint32_t count);

/* Globals, errno, variadic functions, errors by longjmp. */
extern int parts_verbosity;
int parts_open(const char *name);
int parts_format(char *room, size_t size, const char *format, ...);
struct parts_parser {
    jmp_buf failed;
    int line;
};
int parts_parse(struct parts_parser *parser, const char *text);

/* Misbehaviour. */
void parts_crash(void);
void parts_loop(void);

/* The outside world. */
int64_t parts_clock(void);
uint32_t parts_draw(void);
int parts_load(const char *path);
int parts_save(const char *path, const char *text);
int parts_setting(const char *name);
int parts_connect(void);

#endif
