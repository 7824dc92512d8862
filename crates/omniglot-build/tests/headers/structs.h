#ifndef STRUCTS_H
#define STRUCTS_H
#include <stdint.h>

struct point { int x; int y; };

typedef struct {
    struct point corner;
    double weights[3];
    char type;
    struct rect_list *next;
} rect_t;

struct __attribute__((packed)) packet { uint8_t kind; uint32_t length; };

struct bits { unsigned a : 3; unsigned b : 5; int c; };

struct exotic { int before; long double number; };

struct message { uint16_t length; uint8_t data[]; };

struct aligned { char c; } __attribute__((aligned(16)));

/* Tags have no scope in C, and macros no respect for fields. */
struct outer { struct inner { int weight; } inner; enum mood { CALM, WILD } mood; };
#define weight (*weight_of_everything())
#define status 1

struct point mirror(struct point p, const rect_t *within);
rect_t grow(rect_t rect, float factor);
void send(struct packet packet, struct bits bits, struct exotic exotic, struct inner inner, struct aligned aligned);
#endif
