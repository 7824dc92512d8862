/* Needs no header of the system, so that it can be read for any target. */
struct plain { char c; long l; void *p; long long ll; };
typedef unsigned long (*plain_callback)(struct plain plain, long long number);
long measure(struct plain plain, char c, plain_callback callback);
