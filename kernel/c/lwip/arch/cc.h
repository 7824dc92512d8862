/* What lwIP requires of a port: descriptions of the compiler and the machine (lwIP's
 * doc/NO_SYS_SampleCode.c and src/include/lwip/arch.h). Everything else has that header's
 * defaults. */
#ifndef LWIP_ARCH_CC_H
#define LWIP_ARCH_CC_H

#include <stdint.h>
#include <stdlib.h>

#define BYTE_ORDER LITTLE_ENDIAN

/* Nobody reads lwIP's messages. A failed assertion aborts the call, and the kernel gets an
 * error. */
#define LWIP_PLATFORM_DIAG(message) do {} while (0)
#define LWIP_PLATFORM_ASSERT(message) abort()

/* For DHCP's transaction numbers, which are not secret. */
uint32_t network_random(void);
#define LWIP_RAND() network_random()

#endif
