#ifndef MACROS_H
#define MACROS_H
#include <limits.h>
#include <stddef.h>
#include <stdint.h>

/* Types and values as C's rules have them. */
#define LONG_ZERO (0UL)
#define TOP_BIT 0x8000000000000000ull
#define CAST ((unsigned short)0xffff)
#define NEGATIVE_CAST ((unsigned char)-1)
#define FIXED ((uint32_t)FIXED_SMALL)
#define FIXED_SMALL 253
#define ALL_BITS ~0UL
#define ALL_BITS_OF_INT (~0)
#define LARGEST UINT64_MAX
#define LEAST INT64_MIN
#define LEAST_INT INT_MIN
#define UNSIGNED_HEX 0xffffffff
#define NEGATED_HEX (-0x80000000)
#define NEGATED_UNSIGNED -5u
#define WRAPPED (0u - 1)
#define PROMOTED (0xffffffff + 1)
#define WIDER (0x7fffffff + 1LL)
#define DIVIDED (-1 / 2u)
#define COMPARED (-1 < 0u)
#define REMAINDER (-7 % 3)
#define TOP_SHIFTED (1 << 31)
#define CHOSEN (1 ? 2 : 3)
#define SIZE sizeof(int)
#define OFFSET offsetof(struct two, second)
#define COMMA (1, 2)
#define CHARACTER '\xff'
#define SEVERAL_CHARACTERS 'abcd'
#define WIDE_CHARACTER L'x'
#define TRUTH (_Bool)5
#define FROM_ENUM (RED | GREEN)
#define USES_FUNCTION_LIKE FUNCTION_LIKE(4)
#define FUNCTION_LIKE(x) ((x) + 1)
#define HUGE_INTEGER ((unsigned __int128)1 << 100)

#define SHORT_FLOAT 1.5f
#define HEX_FLOAT 0x1.8p3
#define QUOTIENT (1 / 2.0)
#define ENDLESS (1.0 / 0.0)
#define NO_NUMBER (0.0 / 0.0)
#define TRUNCATED (int)2.9

#define TEXT "a" "b"
#define WITH_ZERO "a\0b"
#define NO_UNICODE "\xff\xfe"
#define WIDE_TEXT L"wide"
#define SIXTEEN u"16"
#define STRINGIFIED AS_TEXT(3)
#define AS_TEXT(x) #x

/* No constants. */
#define ADDRESS ((void *)0)
#define PRECISE 3.0L
#define LINE __LINE__
#define HERE LINE
#define STATEMENT do {} while (0)
#define KEYWORD const
#define ITSELF ITSELF
#define OPEN (
#define ELSEWHERE variable
#define UNDEFINED 1
#undef UNDEFINED

/* Names that mean something in Rust, or in what is generated. */
#define None 0L
#define type 5
#define frame 6
#define DESCRIPTION "text"
#define a$b 7

enum color { RED = 1, GREEN = 2 };
enum access { READ = 1, WRITE = 2, RUN = 4, ALL = 7 };
enum numbering { ONE = 1, TWO, THREE, FOUR };
struct two { int first, second; };
extern int variable;
enum access allowed(enum access wanted, int frame_of);
#endif
