#ifndef CALLBACKS_H
#define CALLBACKS_H
#include <stddef.h>

struct event { int kind; };

/** Called for each event. */
typedef int (*on_event)(void *user, struct event event, const char *text);
typedef on_event also_on_event;
typedef void (log_function)(const char *format, ...);
/** Logs a warning. */
typedef log_function *log_warning;
typedef log_warning log_mistake;

struct handlers {
    on_event event;
    double (*scale)(double);
};

void set_handlers(const struct handlers *handlers);
void for_each(on_event callback, void *user);
int compare(const void *base, size_t count, int (*order)(const void *, const void *));
int compare_again(int (*order)(const void *left, const void *right));
also_on_event current(void);
int own_event(void *user, struct event event, const char *text);
int compare_numbers(const int *left, const int *right);
void set_log(log_function *log);
void set_warning(log_warning warning, log_mistake mistake);
#endif
