#ifndef UNIONS_H
#define UNIONS_H
#include <stdbool.h>

union number { int i; double d; bool flag; char text[12]; unsigned char bytes[4]; };

struct tagged {
    int tag;
    union { int whole; float part; };
    struct { int low; int high; } range;
};

double read_number(union number number);
struct tagged tag(int tag);
#endif
