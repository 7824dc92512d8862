#include "hostile.h"

#include <stdlib.h>

uint32_t load(uintptr_t address, uint32_t width)
{
    switch (width) {
    case BYTE: return *(const volatile uint8_t *)address;
    case HALF: return *(const volatile uint16_t *)address;
    case WORD: return *(const volatile uint32_t *)address;
    default: return (uint32_t)*(const volatile uint64_t *)address;
    }
}

void store(uintptr_t address, uint32_t width, uint32_t value)
{
    switch (width) {
    case BYTE: *(volatile uint8_t *)address = (uint8_t)value; break;
    case HALF: *(volatile uint16_t *)address = (uint16_t)value; break;
    case WORD: *(volatile uint32_t *)address = value; break;
    default: *(volatile uint64_t *)address = value; break;
    }
}

void jump(uintptr_t address)
{
    ((void (*)(void))address)();
}

uint32_t atomic_add(uintptr_t address, uint32_t value)
{
    return __atomic_fetch_add((uint32_t *)address, value, __ATOMIC_SEQ_CST);
}

uint32_t load_reserved(uintptr_t address)
{
    uint32_t value;
    __asm__ volatile("lr.w %0, (%1)" : "=r"(value) : "r"(address) : "memory");
    return value;
}

uint32_t store_conditional(uintptr_t address, uint32_t value)
{
    uint32_t failed;
    __asm__ volatile("sc.w %0, %2, (%1)" : "=r"(failed) : "r"(address), "r"(value) : "memory");
    return failed;
}

void copy(uintptr_t into, uintptr_t from, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((volatile uint8_t *)into)[i] = ((const volatile uint8_t *)from)[i];
}

static uint32_t data[2] = {0x00000513 /* li a0, 0 */, 0x00008067 /* ret */};

void run_data(void)
{
    jump((uintptr_t)data);
}

uintptr_t own_code(void)
{
    return (uintptr_t)own_code & ~(uintptr_t)3;
}

uintptr_t own_data(void)
{
    return (uintptr_t)data;
}

void fence(void)
{
    __asm__ volatile("fence\n\t.4byte 0x0000100f" /* fence.i */ ::: "memory");
}

int32_t call(Callback callback, int32_t value)
{
    return callback(value);
}

int32_t call_times(Callback callback, uint32_t times)
{
    int32_t total = 0;
    for (uint32_t i = 0; i < times; i++)
        total += callback(1);
    return total;
}

void call_forever(Callback callback)
{
    for (;;)
        callback(1);
}

void leave(int status)
{
    exit(status);
}

void give_up(void)
{
    abort();
}

void break_point(void)
{
    __asm__ volatile("ebreak");
}

uint32_t push(uint32_t value)
{
    volatile uint32_t local = value;
    return local;
}

uint32_t hash(uint32_t rounds)
{
    uint32_t state = 2166136261u;
    for (uint32_t i = 0; i < rounds; i++) {
        for (int shift = 0; shift < 32; shift += 8) {
            state ^= i >> shift & 0xff;
            state *= 16777619u;
        }
    }
    return state;
}

uint32_t echo(uint32_t value)
{
    return value;
}

void nothing(void)
{
}
