/* What lwIP wants to know of the compiler and the machine (lwIP's doc/NO_SYS_SampleCode.c and
 * src/include/lwip/arch.h). Everything else is as that header has it by default. */
#ifndef LWIP_ARCH_CC_H
#define LWIP_ARCH_CC_H

#include <stdint.h>
#include <stdlib.h>

#define BYTE_ORDER LITTLE_ENDIAN

/* Nobody reads messages in here: a failed assertion ends the call, which the kernel sees. */
#define LWIP_PLATFORM_DIAG(message) do {} while (0)
#define LWIP_PLATFORM_ASSERT(message) abort()

/* For transaction numbers of DHCP: not a secret. */
uint32_t network_random(void);
#define LWIP_RAND() network_random()

#endif
