#ifndef UNBINDABLE_H
#define UNBINDABLE_H
#include <stdarg.h>

int print(const char *format, ...);
int vprint(const char *format, va_list arguments);
struct incomplete;
struct incomplete by_value(struct incomplete whole);
typedef float four __attribute__((vector_size(16)));
four quadruple(four x);
struct __attribute__((aligned(64))) line { char bytes[64]; };
int by_line(struct line line);
typedef void (*logger)(const char *format, ...);
void log_with(logger logger);
struct __attribute__((packed)) tight { char tag; long double number; };
int fine(int x);
#endif
