//! Functions that are awkward to declare, to call, or to be called back.

use super::{Kind, PLAIN};

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "functions_that_give_functions",
        header: r"
int (*pick(int which))(int, int);
int (*(*pick_twice(void))(int which))(int, int);
void (*on_signal(int number, void (*handler)(int number)))(int);
typedef int binary(int, int); typedef binary *binary_ptr; typedef binary_ptr (*chooser)(int);
binary declared_by_typedef; chooser choose(binary *b, binary c); binary_ptr *slots(void);
int apply(int (*f)(int (*g)(int), int), int x);
",
        source: r"
static int add(int a, int b) { return a + b; } static int mul(int a, int b) { return a * b; }
int (*pick(int which))(int, int) { return which ? mul : add; }
int (*(*pick_twice(void))(int which))(int, int) { return pick; }
void (*on_signal(int number, void (*handler)(int number)))(int) { handler(number); return 0; }
int declared_by_typedef(int a, int b) { return a - b; }
static binary_ptr kept[2] = { add, mul };
chooser choose(binary *b, binary c) { kept[0] = b; kept[1] = c; return pick; }
binary_ptr *slots(void) { return kept; }
static int twice(int x) { return 2 * x; }
int apply(int (*f)(int (*g)(int), int), int x) { return f(twice, x); }",
        bound: &[
            "pick",
            "pick_twice",
            "on_signal",
            "declared_by_typedef",
            "choose",
            "slots",
            "apply",
        ],
        run: r"
    let mul = api.pick(1)?;
    assert_eq!(api.call_pointer(mul, (6, 7))?, 42);
    let chooser = api.pick_twice()?;
    let add = api.call_pointer(chooser, 0)?;
    assert_eq!(api.call_pointer(add, (6, 7))?, 13);
    assert_eq!(api.declared_by_typedef(9, 2)?, 7);",
        ..PLAIN
    },
    Kind {
        name: "old_declarations",
        header: r"
int nothing_said(); double promoted(); int then_said(); int then_said(int a, double b);
static int with_list(a, b, c) int a; char b; float c; { return a + b + (int)c; }
int typed_void(void), other_style(int), *pointer_style(int x);
extern int repeated(int first); extern int repeated(int second); int repeated(int);
",
        source: r"
int nothing_said() { return 4; } double promoted() { return 2.5; }
int then_said(int a, double b) { return a + (int)b; } int typed_void(void) { return 1; }
int other_style(int x) { return x; } int *pointer_style(int x) { static int k; k = x; return &k; }
int repeated(int x) { return x; }",
        bound: &["typed_void", "other_style", "pointer_style", "repeated", "with_list"],
        // The first declaration is the one that is read.
        said: &[("then_said", "too few arguments")],
        run: r"
    assert_eq!(api.with_list(3, 4, 5.0)?, 12);
    assert_eq!(api.repeated(3)?, 3);",
    },
    Kind {
        name: "only_inline",
        header: r"
#include <stddef.h>
struct counter { int n; };
static const int steps[3] = { 1, 2, 3 };
static int total = 40;
static inline int next_number(void) { static int n; return ++n; }
static inline struct counter counter_add(struct counter c, int n) { c.n += n; return c; }
static __inline__ __attribute__((always_inline)) int forced(int x) { return x + steps[1]; }
extern inline __attribute__((gnu_inline)) int gnu_one(int x) { return x + 1; }
static inline int sum_to(int n) { struct pair { int a, b; } p = { n, n }; return p.a * (p.b + 1) / 2; }
static inline int uses_extensions(int x) { return ({ __auto_type y = x; y ?: 7; }); }
static int not_even_inline(int x) { return x + total; }
",
        source: "",
        bound: &[
            "next_number",
            "counter_add",
            "forced",
            "sum_to",
            "uses_extensions",
            "not_even_inline",
        ],
        run: r"
    assert_eq!((api.next_number()?, api.next_number()?), (1, 2));
    assert_eq!(api.counter_add(lib::counter { n: 3 }, 4)?.n, 7);
    assert_eq!((api.forced(1)?, api.sum_to(4)?), (3, 10));
    assert_eq!((api.uses_extensions(0)?, api.not_even_inline(2)?), (7, 42));",
        ..PLAIN
    },
    Kind {
        name: "attributes",
        header: r#"
#define API __attribute__((visibility("default")))
#define PRINTF(a, b) __attribute__((__format__(__printf__, a, b)))
API void stop(int code) __attribute__((noreturn, cold));
API int old_one(int x) __attribute__((deprecated("use new_one")));
API int never(int x) __attribute__((unavailable("it is gone")));
API int broken(int x) __attribute__((error("do not call")));
API int warned(int x) __attribute__((warning("think twice")));
int logged(const char *format, ...) PRINTF(1, 2);
int pure_one(int x) __attribute__((pure, const, nothrow, leaf, hot, warn_unused_result));
int real_one(int x);
int renamed(int x) __asm__("actual_name");
int __attribute__((weak)) maybe(int x);
int maybe(int x) { return x; }
void *fresh(int n) __attribute__((malloc, alloc_size(1), returns_nonnull));
int never_null(const char *text) __attribute__((nonnull(1)));
typedef int quad __attribute__((mode(DI))); quad take_quad(quad q);
_Noreturn void stop_too(void);
__attribute__((constructor)) static void at_start(void) {}
API int new_one(int x) __attribute__((__nothrow__)) __attribute__((section(".text.odd")));
typedef void (*stopper)(int) __attribute__((noreturn)); int use_stopper(stopper s);
"#,
        source: r#"
#include <stdlib.h>
void stop(int code) { exit(code); } int old_one(int x) { return x; } void stop_too(void) { exit(1); }
int warned(int x) { return x; } int logged(const char *f, ...) { return 0; }
int pure_one(int x) { return x; } int real_one(int x) { return x + 1; }
int renamed(int x) { return x + 2; }
void *fresh(int n) { return malloc(n); } int never_null(const char *text) { return text[0]; }
quad take_quad(quad q) { return q * 2; } int new_one(int x) { return x; }
int use_stopper(stopper s) { return s != 0; }"#,
        bound: &[
            "stop",
            "old_one",
            "pure_one",
            "real_one",
            "renamed",
            "fresh",
            "never_null",
            "take_quad",
            "new_one",
            "stop_too",
            "use_stopper",
        ],
        said: &[("never", "gone"), ("broken", "do not call")],
        run: r"
    assert_eq!(api.renamed(1)?, 3);
    assert_eq!(api.take_quad(1 << 40)?, 1 << 41);
    assert_eq!(api.pure_one(4)?, 4);
    assert_eq!(api.maybe(5)?, 5);",
    },
    Kind {
        name: "callbacks_of_all_kinds",
        header: r"
#include <stdarg.h>
#include <stdint.h>
struct big { long v[4]; }; struct small { char a, b; }; union either { int i; double d; };
typedef struct big (*on_big)(struct big b, int x); typedef struct small (*on_small)(struct small s);
typedef union either (*on_either)(union either e); typedef double (*on_many)(char a, short b, float c,
    double d, long e, unsigned char f, int g, int h, int i, float j, struct small k, uint64_t l);
typedef int (*on_variadic)(int n, ...); typedef void (*on_list)(const char *format, va_list list);
typedef _Bool (*on_bool)(_Bool yes); typedef enum mode { OFF, ON } (*on_mode)(enum mode m);
typedef int (*on_array)(int v[3], char (*text)[4]); typedef int (*on_nested)(on_small s, int (*f)(void));
struct big call_big(on_big f); int call_small(on_small f); double call_either(on_either f);
double call_many(on_many f); int call_variadic(on_variadic f); int call_list(on_list f);
int call_bool(on_bool f); enum mode call_mode(on_mode f); int call_array(on_array f); int call_nested(on_nested f);
",
        source: r"
struct big call_big(on_big f) { struct big b = { { 1, 2, 3, 4 } }; return f(b, 5); }
int call_small(on_small f) { struct small s = { 1, 2 }; s = f(s); return s.a * 10 + s.b; }
double call_either(on_either f) { union either e; e.d = 1.5; return f(e).d; }
double call_many(on_many f) { struct small s = { 11, 12 }; return f(1, 2, 3.5f, 4.5, 5, 6, 7, 8, 9, 10.5f, s, 13); }
int call_variadic(on_variadic f) { return f != 0; } int call_list(on_list f) { return f != 0; }
int call_bool(on_bool f) { return f(1) + 2 * f(0); } enum mode call_mode(on_mode f) { return f(ON); }
int call_array(on_array f) { int v[3] = { 1, 2, 3 }; char t[4] = { 4 }; return f(v, &t); }
static int four(void) { return 4; } static struct small same(struct small s) { return s; }
int call_nested(on_nested f) { return f(same, four); }",
        bound: &[
            "call_big",
            "call_small",
            "call_either",
            "call_many",
            "call_variadic",
            "call_bool",
            "call_mode",
            "call_array",
            "call_nested",
        ],
        run: r"
    let mut on_big = |_: &mut lib::Api, (mut big, x): (lib::big, i32)| { big.v[3] += i64::from(x); Ok(big) };
    let big = api.with_callback::<lib::on_big, _>(&mut on_big, |api, f| api.call_big(f))??;
    assert_eq!(big.v, [1, 2, 3, 9]);
    let mut on_small = |_: &mut lib::Api, s: lib::small| Ok(lib::small { a: s.b, b: s.a });
    assert_eq!(api.with_callback::<lib::on_small, _>(&mut on_small, |api, f| api.call_small(f))??, 21);
    let mut on_either = |_: &mut lib::Api, e: lib::either| Ok(lib::either::from_d(e.d()? * 2.0));
    assert_eq!(api.with_callback::<lib::on_either, _>(&mut on_either, |api, f| api.call_either(f))??, 3.0);
    let mut on_bool = |_: &mut lib::Api, yes: bool| Ok(!yes);
    assert_eq!(api.with_callback::<lib::on_bool, _>(&mut on_bool, |api, f| api.call_bool(f))??, 2);
    let mut on_nested = |api: &mut lib::Api, (same, four)| {
        let s: lib::small = api.call_pointer(same, lib::small { a: 5, b: 6 })?;
        Ok(api.call_pointer(four, ())? + i32::from(s.a))
    };
    assert_eq!(api.with_callback::<lib::on_nested, _>(&mut on_nested, |api, f| api.call_nested(f))??, 9);",
        ..PLAIN
    },
    Kind {
        name: "the_same_function_pointers",
        header: r"
typedef void (*free_one)(void *p); typedef void (*free_other)(void *q); typedef free_one free_third;
typedef int (*compare)(const void *a, const void *b);
int use(free_one a, free_other b, free_third c, void (*d)(void *));
void *search(const void *key, compare c, int (*other)(const void *, const void *));
struct ops { free_one one; free_other other; void (*plain)(void *); compare c; }; int use_ops(struct ops o);
",
        source: r"
int use(free_one a, free_other b, free_third c, void (*d)(void *)) { return a == b && b == c && c == d; }
void *search(const void *key, compare c, int (*other)(const void *, const void *)) { return 0; }
int use_ops(struct ops o) { return o.one == o.other && o.plain == o.one; }",
        bound: &["use", "search", "use_ops"],
        run: r"
    let mut forget = |_: &mut lib::Api, _: omniglot::Ptr<omniglot::Void>| Ok(());
    let same = api.with_callback::<lib::free_one, _>(&mut forget, |api, f| {
        let ops = lib::ops { one: f, other: f, plain: f, ..Default::default() };
        Ok::<_, omniglot::Error>((api.use_(f, f, f, f)?, api.use_ops(ops)?))
    })??;
    assert_eq!(same, (1, 1));",
        ..PLAIN
    },
    Kind {
        name: "many_parameters",
        header: concat!(
            "int f0(int a0,int a1,int a2,int a3,int a4,int a5,int a6,int a7,int a8,int a9,int b0,int b1,",
            "int b2,int b3,int b4,int b5,int b6,int b7,int b8,int b9,double c0,double c1,double c2,",
            "double c3,double c4,double c5,double c6,double c7,double c8,double c9,char d0,char d1);\n",
            "int a_name_that_is_longer_than_anyone_should_ever_have_to_read_but_that_some_generator_of_",
            "interfaces_made_from_a_path_of_packages_and_of_what_is_in_them_one_after_the_other(int x);\n",
            "struct wide { int v[900]; }; int pass(struct wide a, struct wide b); struct wide give(int x);\n",
            "struct wider { char v[5000]; }; int pass_wider(struct wider w);\n",
        ),
        source: r"
int f0(int a0,int a1,int a2,int a3,int a4,int a5,int a6,int a7,int a8,int a9,int b0,int b1,
int b2,int b3,int b4,int b5,int b6,int b7,int b8,int b9,double c0,double c1,double c2,
double c3,double c4,double c5,double c6,double c7,double c8,double c9,char d0,char d1) { return a0 + b9 + (int)c9 + d1; }
int a_name_that_is_longer_than_anyone_should_ever_have_to_read_but_that_some_generator_of_interfaces_made_from_a_path_of_packages_and_of_what_is_in_them_one_after_the_other(int x) { return x; }
int pass(struct wide a, struct wide b) { return a.v[899] + b.v[0]; }
struct wide give(int x) { struct wide w = { { x } }; return w; }
int pass_wider(struct wider w) { return 0; }",
        bound: &["f0", "pass", "give"],
        said: &[("pass_wider", "more than 4096")],
        run: r"
    let z = 0.0;
    let sum = api.f0(1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,2,z,z,z,z,z,z,z,z,z,3.0,0,4)?;
    assert_eq!(sum, 10);
    let wide = api.give(6)?;
    assert_eq!(api.pass(wide, wide)?, 6);",
    },
    Kind {
        name: "globals_of_all_kinds",
        header: r"
#include <stdio.h>
extern __thread int per_thread; extern _Thread_local long also_per_thread;
extern volatile int busy; extern const volatile short port; extern const char *const fixed;
extern int (*hook)(int); extern void (*hooks[2])(void); extern _Bool flag; extern double reals[2];
extern struct { int a; } nameless; extern FILE *stream; extern const int limit; extern int __attribute__((weak)) soft;
int tentative; static const double half = 0.5; extern const struct point { int x, y; } origin;
int read_all(void);
",
        source: r#"
__thread int per_thread = 5; _Thread_local long also_per_thread = 6; volatile int busy = 7;
const volatile short port = 8; const char *const fixed = "fixed"; static int one(int x) { return x + 1; }
int (*hook)(int) = one; void (*hooks[2])(void); _Bool flag = 1; double reals[2] = { 1.5, 2.5 };
__typeof__(nameless) nameless; FILE *stream; const int limit = 9; int soft = 10; const struct point origin = { 1, 2 };
int read_all(void) { return per_thread + (int)also_per_thread + busy + tentative; }"#,
        bound: &["read_all"],
        run: r#"
    assert_eq!((api.read_per_thread()?, api.read_also_per_thread()?, api.read_busy()?), (5, 6, 7));
    api.write_per_thread(50)?;
    api.write_busy(70)?;
    assert_eq!(api.read_all()?, 50 + 6 + 70);
    let hook = api.read_hook()?;
    assert_eq!(api.call_pointer(hook, 4)?, 5);
    assert_eq!((api.read_limit()?, api.read_soft()?, api.read_flag()?), (9, 10, true));
    assert_eq!(api.read_origin()?.y, 2);
    assert_eq!(api.read_reals()?, [1.5, 2.5]);"#,
        ..PLAIN
    },
];
