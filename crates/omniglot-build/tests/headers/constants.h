#ifndef CONSTANTS_H
#define CONSTANTS_H

#define ANSWER 42
#define NEGATIVE (-7)
#define HUGE_NUMBER 0xffffffffffffffff
#define RATIO 1.5
#define VERSION "1.2.3"
#define NOTHING

static const int limit = 9;
extern const char *const names[3];
extern int counter;
extern int list[];

static inline int twice(int x) { return 2 * x; }
#endif
