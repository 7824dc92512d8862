#ifndef ANNOTATIONS_H
#define ANNOTATIONS_H
#include <stddef.h>

/* Headers that say how long what a pointer points to is bring these for compilers that do
   not know them. */
#ifndef __counted_by
#define __counted_by(count)
#define __sized_by_or_null(size)
#endif

/** Adds them up. */
long total(const int *__counted_by(count) values, size_t count) __attribute__((warn_unused_result));
void scale(double *__counted_by(count) values, int count, double factor);
int seal(unsigned char *out __attribute__((counted_by(32))), const void *__sized_by_or_null(len) key, size_t len);
int notify(int level, void *_Nullable user, void (*_Nullable done)(int));
void *allocate(size_t size) __attribute__((malloc));
int compare(const char *left, const char *right) __attribute__((nonnull));
void twice(int *__counted_by(2 * count) values, int count);
#endif
