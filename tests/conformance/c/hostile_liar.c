/* Functions whose types are not those of hostile.h: C links them all the same.
 * They show bits that C itself could not put into a bool. */
#include <stdint.h>

typedef uint8_t (*Callback)(uint32_t flag);

uint8_t flag_of_bits(uint8_t bits)
{
    return bits;
}

void call_with_flag(Callback callback, uint8_t bits)
{
    callback(bits);
}
