/* Functions whose types differ from those in conformance.h, which C links anyway. They produce
 * bits that C itself could not store in a bool. */
#include <stdint.h>

typedef uint8_t (*Callback)(uint32_t value);

uint8_t bool_of_bits(uint8_t bits)
{
    return bits;
}

uint8_t call_bool_bits(Callback callback, uint8_t bits)
{
    return callback(bits);
}
