/* A library with one instruction, or its bytes, that only some runtimes allow. GADGET selects
 * it. Linux on x86-64 only. */
#ifndef GADGET_H
#define GADGET_H

#include <stdint.h>

enum gadget {
    WRPKRU,          /* the instruction */
    XRSTOR,          /* likewise */
    XRSTOR64,        /* likewise, with the prefix for 64 bits */
    XRSTOR_FAR,      /* likewise, with a displacement */
    HIDDEN,          /* the bytes of wrpkru in a constant */
    ACROSS,          /* the bytes of wrpkru, in two instructions */
    ACROSS_PAGES,    /* likewise, in two pages */
    XRSTOR_ACROSS,   /* the bytes of xrstor, in two instructions */
    LFENCE,          /* harmless: differs from xrstor in two bits only */
    FXRSTOR,         /* harmless: has no part in keys */
    IN_DATA,         /* harmless: the bytes of wrpkru among constants and variables */
};

int32_t sound(int32_t a, int32_t b);

#endif
