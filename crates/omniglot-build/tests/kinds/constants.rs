//! Macros and constants that are awkward to evaluate.

use super::{Kind, PLAIN};

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "expressions",
        header: r#"
#include <stddef.h>
#include <stdint.h>
struct two { char a; int b; }; extern int variable; int fine(int x);
#define GENERIC _Generic(1L, int: 3, long: 4, default: 5)
#define STATEMENT ({ int x = 3; x + 1; })
#define SIZE sizeof(struct two)
#define OFFSET offsetof(struct two, b)
#define COMPOUND ((struct two){ 1, 2 })
#define ADDRESS (&variable)
#define VARIABLE variable
#define LIST ((int[]){ 1, 2, 3 })
#define MANY 'ab'
#define UTF8 u8"\u00e9"
#define UTF16 u"\u20ac"
#define UTF32 U"\U0001F600"
#define WIDE_CHAR L'\u20ac'
#define FLOAT 1.5f
#define LONG_DOUBLE 1.5L
#define HEX_FLOAT 0x1.8p-3
#define HUGE_INT ((__int128)1 << 100)
#define BINARY 0b1011
#define CAST ((uint8_t)300)
#define SIGNED_CAST ((signed char)200)
#define CHOICE (sizeof(long) == 8 ? 1ull : 2)
#define COMMA (1, 2)
#define SHIFT (1 << 31)
#define NEGATIVE_SHIFT (-1 >> 1)
#define DIVIDE_BY_ZERO (1 / 0)
#define TOO_LARGE 99999999999999999999
#define NOT_A_NUMBER (0.0 / 0.0)
#define INFINITE (1.0 / 0.0)
#define TINY 4.9e-324
#define ENUMERATOR FIRST
#define LOGICAL (1 && 0 || !0)
#define BOOL ((_Bool)7)
#define EMBEDDED "a\0b"
#define JOINED "a" "b" /* c */ "c"
#define TYPE unsigned long
#define CALL fine(3)
#define BUILTIN __builtin_offsetof(struct two, b)
#define ALIGNOF _Alignof(struct two)
#define CHOOSE __builtin_choose_expr(1, 4, 5.0)
#define POPCOUNT __builtin_popcount(255)
#define STRING_LENGTH (sizeof("four") - 1)
#define ELEMENT "text"[1]
#define RECURSIVE RECURSIVE + 1
#define UNBALANCED (1
#define STRAY 1 +
#define SEMICOLON 3;
#define LINE __LINE__
#define NULL_POINTER ((void *)0)
#define SENTINEL ((void (*)(void))-1)
#define OVERFLOW (2147483647 + 1)
#define LEAST (-9223372036854775807LL - 1)
#define UNSIGNED_MINUS -5u
enum { FIRST = 41 };
static const int constant = 7; static const char text[] = "constant";
"#,
        source: "#include <stddef.h>\nint variable; int fine(int x) { return x; }",
        bound: &["fine"],
        run: r#"
    assert_eq!(api.fine(3)?, 3);
    assert_eq!((lib::GENERIC, lib::OFFSET, lib::SIZE), (4, 4, 8));
    assert_eq!((lib::CAST, lib::SIGNED_CAST, lib::CHOICE), (44, -56, 1));
    assert_eq!((lib::SHIFT, lib::NEGATIVE_SHIFT, lib::ENUMERATOR), (i32::MIN, -1, 41));
    assert_eq!((lib::HEX_FLOAT, lib::TINY, lib::FLOAT), (0.1875, 4.9e-324, 1.5));
    assert_eq!(lib::HUGE_INT, 1i128 << 100);
    assert_eq!((lib::LEAST, lib::UNSIGNED_MINUS), (i64::MIN, u32::MAX - 4));
    assert_eq!(lib::JOINED, c"abc");
    assert_eq!(lib::STRING_LENGTH, 4);
    assert_eq!(lib::UTF16, &[0x20ac, 0]);
    assert_eq!(lib::WIDE_CHAR, 0x20ac);"#,
        ..PLAIN
    },
    Kind {
        name: "only_macros",
        header: r#"
#define COLORS(X) X(RED, 1) X(GREEN, 2)
#define AS_ENUM(name, value) COLOR_##name = value,
#define FIRST SECOND
#define SECOND THIRD
#define THIRD (FOURTH | 1)
#define FOURTH 0x10u
#define GONE 1
#undef GONE
#define CHANGED 1
#undef CHANGED
#define CHANGED 2u
#define EMPTY
#define TEXT "only"
#define VERSION_TEXT TEXT " macros"
#define VERSION (1 * 10000 + 2 * 100 + 3)
#define FLAG(n) (1u << (n))
#define FLAG_THREE FLAG(3)
#define ALIAS EMPTY 4 EMPTY
"#,
        source: "",
        bound: &[],
        run: r#"
    let _ = api;
    assert_eq!((lib::FIRST, lib::CHANGED, lib::FLAG_THREE, lib::ALIAS), (0x11, 2, 8, 4));
    assert_eq!((lib::VERSION, lib::VERSION_TEXT), (10203, c"only macros"));"#,
        ..PLAIN
    },
    Kind {
        name: "that_make_compilers_skip_others",
        header: r#"
#define FIRST 1
#define ASKS_FEATURE __has_feature
#define ASKS_ATTRIBUTE ASKS_FEATURE
#define SECOND 2
#define ASKS_MODULE __building_module
#define ASKS_WHETHER __is_identifier
#define OPEN <:
#define BRACES <%
#define OPEN_TOO [
#define TYPE_IN_OFFSET __builtin_offsetof(struct
#define THIRD (ASKS(attribute) 3)
#define ASKS(x) __has_##x
#define PASTED ASKS(builtin)
#define PASTED_TOO ASKS(extension)
#define FOURTH 4
#define PASTED_AGAIN ASKS(attribute)
#define FIFTH "five"
#define PASTED_LAST ASKS(warning)
#define LAST (FOURTH + 2)
"#,
        source: "",
        bound: &[],
        run: r#"
    let _ = api;
    assert_eq!((lib::FIRST, lib::SECOND, lib::FOURTH, lib::LAST), (1, 2, 4, 6));
    assert_eq!(lib::FIFTH, c"five");"#,
        ..PLAIN
    },
    Kind {
        name: "only_one_compiler_sees",
        header: r"
#ifdef __clang__
int only_clang(int x); struct only_clang_type { int v; }; int on_type(struct only_clang_type t);
#define COMPILER 1
#define CLANG_ONLY 4
struct differs { long v; }; enum differs_too { D_A = 1 }; extern int clang_global;
#else
#define COMPILER 2
struct differs { int v; }; enum differs_too { D_A = 2 };
#endif
int on_differs(struct differs d); int through(struct differs *d); int fine(int x);
",
        source: r"
int on_differs(struct differs d) { return d.v; } int through(struct differs *d) { return d != 0; }
int fine(int x) { return x; }",
        bound: &["through", "fine"],
        said: &[("only_clang", "")],
        run: "assert_eq!(api.fine(3)?, 3);",
    },
];
