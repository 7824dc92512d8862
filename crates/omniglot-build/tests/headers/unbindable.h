#ifndef UNBINDABLE_H
#define UNBINDABLE_H
#include <stdarg.h>

int print(const char *format, ...);
int vprint(const char *format, va_list arguments);
struct incomplete;
struct incomplete by_value(struct incomplete whole);
int fine(int x);
#endif
