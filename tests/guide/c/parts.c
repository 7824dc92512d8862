#include "parts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

int parts_verbosity = 1;

static struct part screw = {"screw", 30, NULL};
static struct part nut = {"nut", 20, &screw};
static struct part bolt = {"bolt", 10, &nut};

struct part *parts_first(void)
{
    return &bolt;
}

uint64_t parts_total(const uint32_t *counts, size_t length)
{
    uint64_t total = 0;
    for (size_t i = 0; i < length; i++)
        total += counts[i];
    return total;
}

void parts_double(uint32_t *counts, size_t length)
{
    for (size_t i = 0; i < length; i++)
        counts[i] *= 2;
}

uint32_t parts_add(struct part part)
{
    bolt.count += part.count;
    return bolt.count;
}

int parts_bounds(const uint32_t *counts, size_t length, uint32_t *least, uint32_t *most)
{
    if (length == 0)
        return -1;
    *least = *most = counts[0];
    for (size_t i = 1; i < length; i++) {
        if (counts[i] < *least)
            *least = counts[i];
        if (counts[i] > *most)
            *most = counts[i];
    }
    return 0;
}

const char *parts_title(void)
{
    return "parts & co.";
}

int parts_measure(const char *text)
{
    return (int)strlen(text);
}

int parts_longest(const char *const *names, size_t length)
{
    int longest = -1;
    for (size_t i = 0; i < length; i++)
        if (longest < 0 || strlen(names[i]) > strlen(names[longest]))
            longest = (int)i;
    return longest;
}

void parts_label(char *room, size_t size)
{
    snprintf(room, size, "part no. %u", bolt.count);
}

int parts_each(parts_visit *visit, void *data)
{
    for (const struct part *part = &bolt; part != NULL; part = part->next) {
        int stop = visit(part, data);
        if (stop)
            return stop;
    }
    return 0;
}

uint32_t parts_cost(parts_price *price)
{
    return price(bolt.count) + price(nut.count) + price(screw.count);
}

static parts_price *changed;

void parts_on_change(parts_price *price)
{
    changed = price;
}

uint32_t parts_change(uint32_t count)
{
    return changed ? changed(count) : 0;
}

struct parts_box {
    uint32_t size, used;
};

struct parts_box *parts_box_new(uint32_t size)
{
    struct parts_box *box = malloc(sizeof *box);
    if (box)
        *box = (struct parts_box){size, 0};
    return box;
}

void parts_box_free(struct parts_box *box)
{
    free(box);
}

int parts_box_put(struct parts_box *box, uint32_t count)
{
    if (count > box->size - box->used)
        return -1;
    box->used += count;
    return 0;
}

int parts_open(const char *name)
{
    (void)name;
    errno = ENOENT;
    return -1;
}

int parts_format(char *room, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(room, size, format, arguments);
    va_end(arguments);
    return length;
}

int parts_parse(struct parts_parser *parser, const char *text)
{
    parser->line++;
    if (strchr(text, '!'))
        longjmp(parser->failed, 1);
    return atoi(text);
}

void parts_crash(void)
{
    *(volatile int *)8 = 1;
}

void parts_loop(void)
{
    for (volatile int i = 0;; i++)
        ;
}

int64_t parts_clock(void)
{
    struct timespec now;
    return clock_gettime(CLOCK_REALTIME, &now) == 0 ? now.tv_sec : -1;
}

uint32_t parts_draw(void)
{
    uint32_t number = 0;
    return getrandom(&number, sizeof number, 0) == sizeof number ? number : 0;
}

int parts_load(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fprintf(stderr, "cannot read %s\n", path);
        return -1;
    }
    int count = 0;
    while (fgetc(file) != EOF)
        count++;
    fclose(file);
    return count;
}

int parts_save(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return -1;
    int written = fputs(text, file);
    return fclose(file) == 0 && written >= 0 ? 0 : -1;
}

int parts_setting(const char *name)
{
    const char *value = getenv(name);
    return value ? atoi(value) : -1;
}

int parts_connect(void)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}
