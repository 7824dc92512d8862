#ifndef NUMBERS_H
#define NUMBERS_H
#include <complex.h>
#include <uchar.h>
#include <wchar.h>

/* Only C can calculate with these; they pass through. */
typedef long double precise_t;
long double precise(precise_t x, long double *whole);
double _Complex spin(double _Complex z);

/* Wherever they are. */
struct sample { precise_t value; float _Complex turns[2]; __int128 stamp; };
union number { long double precise; double plain; };
struct sample blend(const struct sample *from, union number weight);
typedef precise_t (*curve)(precise_t x, unsigned __int128 seed);
void plot(curve curve, void (*done)(__int128 result));
extern long double unit;

/* Rust has these. */
__int128 wide(unsigned __int128 x);
wchar_t next(wchar_t letter, char32_t other, char16_t shorter);
#endif
