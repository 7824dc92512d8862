#ifndef NUMBERS_H
#define NUMBERS_H
#include <complex.h>
#include <uchar.h>
#include <wchar.h>

/* Only C can calculate with these; they pass through. */
typedef long double precise_t;
long double precise(precise_t x, long double *whole);
double _Complex spin(double _Complex z);

/* Rust has these. */
__int128 wide(unsigned __int128 x);
wchar_t next(wchar_t letter, char32_t other, char16_t shorter);
#endif
