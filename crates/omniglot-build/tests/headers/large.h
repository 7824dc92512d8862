#ifndef LARGE_H
#define LARGE_H

/* Up to 4096 bytes are passed by value, and up to 8192 by one call. */
struct page { unsigned char bytes[4096]; };
struct large { int tag; unsigned char bytes[4097]; };
struct __attribute__((packed)) tight { char tag; unsigned char bytes[8192]; long numbers[1024]; };
union choice { int number; unsigned char bytes[8192]; };

struct page make_page(int seed);
struct large make_large(int seed);
void take_large(struct large large);
void take_pages(struct page one, struct page other);
void take_more(struct page one, struct page other, int more);
void fill(struct large *large);
typedef void (*on_page)(struct page page);
typedef struct large (*on_large)(void);
void call_page(on_page callback);
void call_large(on_large callback);
extern struct page one_page;
extern struct large one_large;
extern const long table[4][1024];
#endif
