#ifndef BIT_FIELDS_H
#define BIT_FIELDS_H
#include <stdbool.h>

enum mood { CALM, WILD = 2 };
enum side { LEFT = -1, RIGHT = 1 };
enum flavor { SWEET, SOUR };

struct options {
    unsigned level : 3;
    int offset : 5;
    int plain;
    bool set : 1;
    enum mood mood : 2;
    enum side side : 2;
    enum flavor flavor : 1;
    unsigned : 0;
    unsigned long long big : 40;
    int encode : 2;
};

union word { unsigned whole; unsigned low : 4; };
struct __attribute__((packed)) tight { char before; unsigned long most : 62; unsigned rest : 9; };

struct options turn(struct options options, union word word, const struct tight *tight);
#endif
