/* Memory that the caller names may be unmapped, as for the kernel: a copy that faults returns
 * an error. */
#include "server.h"

__asm__(".text\n"
        ".globl copy_bytes\n"
        ".hidden copy_bytes\n"
        ".type copy_bytes, @function\n"
        "copy_bytes:\n"
        "    mov %rdx, %rcx\n"
        "    cld\n"
        ".globl copy_access\n"
        ".hidden copy_access\n"
        "copy_access:\n"
        "    rep movsb\n"
        "    xor %eax, %eax\n"
        "    ret\n"
        ".globl copy_failed\n"
        ".hidden copy_failed\n"
        "copy_failed:\n"
        "    mov $-14, %rax\n" /* -EFAULT */
        "    ret\n"
        ".size copy_bytes, . - copy_bytes\n");

long copy_string(char *into, const char *from, size_t room)
{
    for (size_t length = 0; length < room; length++) {
        if (copy_bytes(&into[length], &from[length], 1))
            return -EFAULT;
        if (!into[length])
            return (long)length;
    }
    return -ENAMETOOLONG;
}

void fill_bytes(void *into, int byte, size_t size)
{
    __asm__ volatile("rep stosb" : "+D"(into), "+c"(size) : "a"(byte) : "memory");
}
