#ifndef DESCRIBED_H
#define DESCRIBED_H

struct handle { int options; };

/** Sets an option, whose number says what follows. */
int set_option(struct handle *handle, int option, ...);

#define SQUARE(x) ((x) * (x))
#define CLEAR(handle) do { (handle)->options = 0; } while (0)
#endif
