#ifndef UNBINDABLE_H
#define UNBINDABLE_H
#include <stdarg.h>
#include <complex.h>

int print(const char *format, ...);
int vprint(const char *format, va_list arguments);
long double precise(long double x);
__int128 wide(void);
double _Complex spin(double _Complex z);
struct incomplete;
struct incomplete by_value(struct incomplete whole);
int fine(int x);
#endif
