#ifndef GUARDS_H
#define GUARDS_H
#include <setjmp.h>

struct reader { jmp_buf on_error; int position; };

#define reader_buffer(reader) ((reader)->on_error)

int reader_next(struct reader *reader, int count, void (*progress)(int));
int reader_peek(const struct reader *reader);
void reader_fail(struct reader *reader, const char *reason) __attribute__((noreturn));
int reader_version(void);
#endif
