#include "gadget.h"

int32_t sound(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

/* Never executed. */
__attribute__((used)) static void carry(void)
{
#define IS(which) (GADGET == which)
    if (IS(WRPKRU))
        __asm__ volatile("wrpkru");
    else if (IS(XRSTOR))
        __asm__ volatile("xrstor (%rdi)");
    else if (IS(XRSTOR64))
        __asm__ volatile("xrstor64 (%rsp)");
    else if (IS(XRSTOR_FAR))
        __asm__ volatile("xrstor 0x1234(%r15)");
    else if (IS(HIDDEN))
        __asm__ volatile("mov $0x00ef010f, %eax");
    else if (IS(ACROSS))
        __asm__ volatile("mov $0x0f000000, %eax\n\tadd %ebp, %edi");
    else if (IS(ACROSS_PAGES))
        __asm__ volatile(".balign 4096\n\t"
                         ".skip 4091, 0x90\n\t"
                         "mov $0x0f000000, %eax\n\t"
                         "add %ebp, %edi");
    else if (IS(XRSTOR_ACROSS))
        __asm__ volatile("mov $0x0f000000, %eax\n\tscas %es:(%rdi), %al\n\tsub %al, (%rax)");
    else if (IS(LFENCE))
        __asm__ volatile("lfence");
    else if (IS(FXRSTOR))
        __asm__ volatile("fxrstor (%rdi)");
}

#define BYTES {0x0f, 0x01, 0xef, 0x0f, 0xae, 0x2f}
const uint8_t gadget_constants[] = BYTES;
uint8_t gadget_variables[] = BYTES;
