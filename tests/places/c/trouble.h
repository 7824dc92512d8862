/* What goes wrong in a library, on request. */
#ifndef TROUBLE_H
#define TROUBLE_H

/* Writes through a null pointer. */
void trouble_crash(void);

/* Never returns. */
void trouble_loop(void);

/* Behaves correctly. */
int trouble_add(int left, int right);

#endif
