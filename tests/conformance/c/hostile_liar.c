/* Functions whose types differ from those in hostile.h, which C links anyway. They produce bits
 * that C itself could not store in a bool. */
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
