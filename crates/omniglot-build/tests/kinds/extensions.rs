//! What compilers know beyond C.

use super::{Kind, PLAIN};

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "atomics",
        header: r"
#include <stdatomic.h>
struct shared { _Atomic int count; _Atomic(void *) owner; atomic_flag busy; atomic_long total; };
int bump(_Atomic int *count); int shared_count(struct shared *s); extern _Atomic int global_count;
atomic_int by_value(atomic_int a); int fine(int x); typedef _Atomic struct pair { int a, b; } atomic_pair;
int on_pair(atomic_pair *p);
",
        source: r"
int bump(_Atomic int *count) { return ++*count; } int shared_count(struct shared *s) { return s->count; }
_Atomic int global_count = 5; atomic_int by_value(atomic_int a) { return a; } int fine(int x) { return x; }
int on_pair(atomic_pair *p) { return p != 0; }",
        bound: &["bump", "shared_count", "fine"],
        run: "assert_eq!(api.fine(3)?, 3);",
        ..PLAIN
    },
    Kind {
        name: "wide_integers",
        header: r"
typedef __int128 wide; typedef unsigned __int128 uwide; struct holds { char c; wide w; uwide many[2]; };
wide add(wide a, uwide b); int hold(struct holds h); struct holds *held(void); extern wide global_wide;
typedef wide (*on_wide)(wide w, int x); wide call(on_wide f); int through(const wide *w, wide **more);
struct __attribute__((packed)) tight { char c; __int128 w; }; int on_tight(struct tight *t);
",
        source: r"
wide add(wide a, uwide b) { return a + (wide)b; } int hold(struct holds h) { return h.c + (int)h.many[1]; }
struct holds *held(void) { static struct holds h; return &h; } wide global_wide = -4;
wide call(on_wide f) { return f((wide)1 << 100, 2); } int through(const wide *w, wide **more) { return (int)*w; }
int on_tight(struct tight *t) { return t->c; }",
        bound: &["add", "hold", "held", "call", "through", "on_tight"],
        run: r"
    assert_eq!(api.add(-5, 1 << 100)?, (1 << 100) - 5);
    assert_eq!(api.read_global_wide()?, -4);
    let mut half = |_: &mut lib::Api, (w, x): (i128, i32)| Ok(w / i128::from(x));
    assert_eq!(api.with_callback::<lib::on_wide, _>(&mut half, |api, f| api.call(f))??, 1 << 99);
    let mut holds = lib::holds { c: 1, ..Default::default() };
    holds.many[1] = 4;
    assert_eq!(api.hold(holds)?, 5);",
        ..PLAIN
    },
    Kind {
        name: "numbers_of_c_only",
        header: r"
#include <complex.h>
struct holds { float _Complex f; double _Complex d[2]; long double l; long double _Complex ld; };
double _Complex twice(double _Complex z); float _Complex conj_of(float _Complex z); long double half(long double x);
double real_of(const double _Complex *z); int hold(struct holds h); typedef long double (*on_long)(long double x);
long double call(on_long f); extern long double global_long; double total(int n, long double *many);
_Float16 small(_Float16 x); __float128 large(__float128 x);
",
        source: r"
double _Complex twice(double _Complex z) { return 2 * z; } float _Complex conj_of(float _Complex z) { return ~z; }
long double half(long double x) { return x / 2; } double real_of(const double _Complex *z) { return creal(*z); }
int hold(struct holds h) { return (int)h.l; } long double call(on_long f) { return f(3); }
long double global_long = 1.5; double total(int n, long double *many) { return many[n - 1]; }
_Float16 small(_Float16 x) { return x; } __float128 large(__float128 x) { return x + x; }",
        bound: &["twice", "conj_of", "half", "real_of", "hold", "call", "total"],
        run: r"
    let mut z = [0; 16];
    z[..8].copy_from_slice(&2.5f64.to_ne_bytes());
    let z = lib::c_complex_double::from_ne_bytes(z);
    assert_eq!(api.twice(z)?.to_ne_bytes()[..8], 5f64.to_ne_bytes());
    let mut same = |_: &mut lib::Api, x: lib::c_long_double| Ok(x);
    let three = api.with_callback::<lib::on_long, _>(&mut same, |api, f| api.call(f))??;
    assert_eq!(three.to_ne_bytes()[7..10], [0xc0, 0x00, 0x40]);",
        ..PLAIN
    },
    Kind {
        name: "vectors",
        header: r"
typedef float four __attribute__((vector_size(16))); typedef int eight __attribute__((vector_size(32)));
four scale(four v, float by); void store(float *to, four v); int on(four *v, const eight *e);
struct holds { four v; int after; }; int hold(struct holds *h); struct holds by_value(struct holds h);
extern four global_four; typedef four (*on_four)(four v); int call(on_four f); int fine(int x);
",
        source: r"
four scale(four v, float by) { return v * by; } void store(float *to, four v) { to[0] = v[0]; }
int on(four *v, const eight *e) { return v || e; } int hold(struct holds *h) { return h->after; }
struct holds by_value(struct holds h) { return h; } four global_four; int call(on_four f) { return f != 0; }
int fine(int x) { return x; }",
        bound: &["on", "hold", "call", "fine"],
        said: &[("scale", ""), ("store", "")],
        run: "assert_eq!(api.fine(3)?, 3);",
    },
    Kind {
        name: "lists_of_arguments",
        header: r"
#include <stdarg.h>
struct keeps { va_list list; int x; }; int log_to(int level, const char *format, va_list list);
int log_through(va_list *list); int keep(struct keeps *k); typedef va_list own_list; int own(own_list l);
int logf_(const char *format, ...); typedef int (*logger)(const char *, va_list); int set(logger l); int fine(int x);
",
        source: r"
int log_to(int level, const char *format, va_list list) { return 0; } int log_through(va_list *list) { return 0; }
int keep(struct keeps *k) { return k != 0; } int own(own_list l) { return 0; } int logf_(const char *f, ...) { return 0; }
int set(logger l) { return l != 0; } int fine(int x) { return x; }",
        bound: &["keep", "set", "fine"],
        said: &[("log_to", "va_list"), ("own", "va_list"), ("logf_", "variadic")],
        run: "assert_eq!(api.fine(3)?, 3);",
    },
    Kind {
        name: "text_around_declarations",
        header: r#"
#ifdef __cplusplus
extern "C" {
#endif
_Static_assert(sizeof(int) == 4, "int");
#pragma GCC diagnostic push
#pragma GCC visibility push(default)
#pragma pack(push, 1)
struct packed_by_pragma { char c; int i; };
#pragma pack(pop)
/* A comment with a **star**, a `tick, [a link], <tag>, \backslash, "quote" and */ // another
/**
 * @brief Takes `x`.
 * @param x what it takes: ```unclosed
 * # Heading \n #[doc = "x"] */
int documented(int x);
int trailing(int x); /**< After it. */
/*! \code{.c} int y = trailing(1); \endcode */ int coded(int x);
__extension__ typedef long long ll; __extension__ struct ext { union { int a; }; }; ll take_ll(ll x);
struct ext_user { struct ext e; }; int on_ext(struct ext e);
__asm__(".section .note.GNU-stack,\"\",@progbits\n.text\n");
int split\
_name(int x); static int digraph(int x) <% return x; %>
int trigraph_free(int x)
;;
#pragma GCC visibility pop
#pragma GCC diagnostic pop
#ifdef __cplusplus
}
#endif
"#,
        source: r"
int documented(int x) { return x; } int trailing(int x) { return x; } int coded(int x) { return x; }
ll take_ll(ll x) { return x; } int on_ext(struct ext e) { return e.a; } int split_name(int x) { return x; }
int trigraph_free(int x) { return x; }",
        bound: &[
            "documented",
            "trailing",
            "coded",
            "take_ll",
            "on_ext",
            "split_name",
            "trigraph_free",
        ],
        run: r"
    assert_eq!(api.split_name(3)?, 3);
    assert_eq!(api.take_ll(1 << 40)?, 1 << 40);",
        ..PLAIN
    },
    Kind {
        name: "qualifiers_everywhere",
        header: r"
typedef const char *text; typedef char *const fixed; typedef const struct { int v; } constant_record;
const int give(void); text const *texts(void); const volatile int *const volatile *deep(const int x);
int sum(const constant_record *r, fixed f, volatile int *v, register int last); char *restrict_(char *restrict a, char **restrict b);
struct q { const int a; volatile int b; int *restrict c; const volatile char d[2]; text const e; };
struct q make_q(int a); int read_q(struct q q); constant_record record(int v); typedef const int cint; cint takes(cint c);
",
        source: r"
const int give(void) { return 3; } text const *texts(void) { return 0; }
const volatile int *const volatile *deep(const int x) { return 0; }
int sum(const constant_record *r, fixed f, volatile int *v, register int last) { return last; }
char *restrict_(char *restrict a, char **restrict b) { return a; }
struct q make_q(int a) { struct q q = { a, 2, 0, { 3, 4 }, 0 }; return q; } int read_q(struct q q) { return q.a + q.b + q.d[1]; }
constant_record record(int v) { constant_record r = { v }; return r; } cint takes(cint c) { return c; }",
        bound: &["give", "texts", "deep", "sum", "restrict_", "make_q", "read_q", "takes"],
        run: r"
    let q = api.make_q(5)?;
    assert_eq!(api.read_q(q)?, 11);
    assert_eq!((api.give()?, api.takes(4)?), (3, 4));",
        ..PLAIN
    },
    Kind {
        name: "an_enormous_enum",
        header: "#define R1(n) E##n,\n#define R2(n) R1(n##0) R1(n##1) R1(n##2) R1(n##3) R1(n##4) R1(n##5) \
                 R1(n##6) R1(n##7) R1(n##8) R1(n##9)\n#define R3(n) R2(n##0) R2(n##1) R2(n##2) R2(n##3) \
                 R2(n##4) R2(n##5) R2(n##6) R2(n##7) R2(n##8) R2(n##9)\n#define R4(n) R3(n##0) R3(n##1) \
                 R3(n##2) R3(n##3) R3(n##4) R3(n##5) R3(n##6) R3(n##7) R3(n##8) R3(n##9)\n\
                 enum enormous { R4(1) R4(2) E_LAST };\nenum enormous same(enum enormous e);\n",
        source: "enum enormous same(enum enormous e) { return e; }",
        bound: &["same"],
        run: "assert_eq!(api.same(lib::enormous::E1999)?, lib::enormous::E1999);",
        ..PLAIN
    },
];
