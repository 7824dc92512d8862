//! Types that are awkward to lay out, to name or to pass.

use super::{Kind, PLAIN};

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "nested_anonymous",
        header: r"
struct event {
    unsigned kind : 3, : 5, urgent : 1;
    union {
        struct { short x, y; };
        struct { unsigned low : 4; unsigned high : 12; unsigned long wide : 40; } bits;
        union { int number; struct { char letters[4]; } text; };
    };
    struct { int depth; struct { int deepest; } more; } deep[2];
};
int event_sum(struct event e);
struct event event_at(int x, int y);
",
        source: r"
int event_sum(struct event e) { return e.kind + e.urgent * 10 + e.x * 100 + e.deep[1].more.deepest; }
struct event event_at(int x, int y) {
    struct event e = { .kind = 5, .urgent = 1, .deep = { { 1, { 2 } }, { 3, { 4 } } } };
    e.x = x; e.y = y; return e;
}",
        bound: &["event_sum", "event_at"],
        run: r"
    let event = api.event_at(7, 9)?;
    assert_eq!(api.event_sum(event)?, 5 + 10 + 700 + 4);
    assert_eq!(event.kind(), 5);
    assert_eq!(event.deep[1].depth, 3);",
        ..PLAIN
    },
    Kind {
        name: "bit_fields_of_all_kinds",
        header: r"
#include <stdint.h>
#include <stdbool.h>
typedef int8_t small;
enum tone { LOW = -1, MID, HIGH };
struct all {
    bool on : 1; small level : 5; int : 0; uint64_t big : 60; enum tone tone : 3;
    signed int negative : 4; unsigned char letter : 8; long long straddles : 50;
};
#pragma pack(push, 1)
struct tight { unsigned a : 3; unsigned long long b : 61; unsigned short c : 9; char d; };
#pragma pack(pop)
struct last { char first; unsigned tail : 1; };
struct all make(int level, enum tone tone);
long read_tight(struct tight t);
int read_last(const struct last *l);
",
        source: r"
struct all make(int level, enum tone tone) {
    struct all a = { 1, level, 1ull << 59, tone, -8, 200, -3 }; return a;
}
long read_tight(struct tight t) { return t.a + (long)t.b + t.c + t.d; }
int read_last(const struct last *l) { return l->first + l->tail; }",
        bound: &["make", "read_tight", "read_last"],
        run: r"
    let all = api.make(-16, lib::tone::LOW)?;
    assert_eq!((all.on(), all.level(), all.big()), (true, -16, 1 << 59));
    assert_eq!((all.tone()?, all.negative(), all.letter(), all.straddles()), (lib::tone::LOW, -8, 200, -3));
    let mut tight = lib::tight::default();
    tight.set_b(1 << 60)?;
    tight.set_a(7)?;
    tight.set_c(500)?;
    tight.d = 3;
    assert_eq!(api.read_tight(tight)?, (1 << 60) + 510);
    let mut last = lib::last::default();
    last.first = 4;
    last.set_tail(1)?;
    let last = api.alloc(last)?;
    assert_eq!(api.read_last(&last)?, 5);",
        ..PLAIN
    },
    Kind {
        name: "alignments",
        header: r"
#include <stdint.h>
typedef int wide_int __attribute__((aligned(16)));
typedef uint32_t loose __attribute__((aligned(1)));
struct loosely { char c; loose l; };
struct member { char c; _Alignas(32) char far; };
struct __attribute__((packed)) mixed { char c; int near __attribute__((aligned(2))); long last; };
#pragma pack(push, 2)
struct two { char c; double d; struct { char x; long y; } inner; };
#pragma pack(pop)
union __attribute__((packed)) tight { int i; char c[5]; };
struct holder { char before; union tight t; struct two two; };
int read_loose(const loose *l);
long read_loosely(struct loosely l);
struct member *make_member(int far);
long read_mixed(struct mixed m);
double read_two(struct two t);
long read_holder(struct holder h);
int read_wide(const wide_int *w);
extern wide_int global_wide;
",
        source: r"
int read_loose(const loose *l) { return (int)*l; }
long read_loosely(struct loosely l) { return l.c + l.l; }
struct member *make_member(int far) { static struct member m; m.far = far; return &m; }
long read_mixed(struct mixed m) { return m.c + m.near + m.last; }
double read_two(struct two t) { return t.c + t.d + t.inner.y; }
long read_holder(struct holder h) { return h.before + h.t.i + h.two.inner.y; }
int read_wide(const wide_int *w) { return *w; }
wide_int global_wide = 11;",
        bound: &[
            "read_loose",
            "read_loosely",
            "make_member",
            "read_mixed",
            "read_two",
            "read_holder",
            "read_wide",
        ],
        run: r"
    let mut two = lib::two { c: 1, d: 2.5, ..Default::default() };
    two.inner.y = 4;
    assert_eq!(api.read_two(two)?, 7.5);
    let holder = lib::holder { before: 1, t: lib::tight::from_i(5), two };
    assert_eq!(api.read_holder(holder)?, 10);
    assert_eq!(api.read_global_wide()?, 11);",
        ..PLAIN
    },
    Kind {
        name: "arrays_without_a_length",
        header: r"
struct list { int count; int items[]; };
struct zero { int count; long items[0]; };
union holds { int i; struct zero z; };
struct wraps { int kind; struct list list; };
struct rows { int count; struct { char name[3]; short id; } row[]; };
struct only { int items[0]; };
struct middle { int a; char gap[0]; int b; };
struct list *list_new(int count);
int list_at(const struct list *list, int index);
int sum(struct wraps *w, union holds *h, struct rows *r, struct only *o);
int ends(struct middle m);
extern const char *const words[];
extern int grid[][3];
extern const unsigned char blob[];
",
        source: r#"
#include <stdlib.h>
struct list *list_new(int n) {
    struct list *l = malloc(sizeof *l + n * sizeof(int)); l->count = n;
    for (int i = 0; i < n; i++) l->items[i] = 10 * i;
    return l;
}
int list_at(const struct list *l, int i) { return l->items[i]; }
int sum(struct wraps *w, union holds *h, struct rows *r, struct only *o) { return w || h || r || o; }
int ends(struct middle m) { return m.a + m.b; }
const char *const words[] = { "a", "b", 0 };
int grid[][3] = { { 1, 2, 3 }, { 4, 5, 6 } };
const unsigned char blob[] = { 9, 8 };"#,
        bound: &["list_new", "list_at", "sum", "ends"],
        run: r#"
    let list = api.list_new(4)?;
    assert_eq!(api.list_at(list, 3)?, 30);
    assert_eq!(api.ends(lib::middle { a: 2, b: 3, ..Default::default() })?, 5);
    let words = api.address_of_words()?;
    let first: omniglot::Ptr<omniglot::Ptr<core::ffi::c_char>> = words.cast();
    let first = api.read(api.upgrade(first)?)?;
    assert_eq!(&*api.read_str(first, 8)?, "a");
    let grid: omniglot::Ptr<[[i32; 3]; 2]> = api.address_of_grid()?.cast();
    assert_eq!(api.read(api.upgrade(grid)?)?, [[1, 2, 3], [4, 5, 6]]);"#,
        ..PLAIN
    },
    Kind {
        name: "only_declared",
        header: r"
struct unknown; union nobody; enum none;
struct unknown unknown_make(void);
void unknown_take(struct unknown value, int more);
typedef void (*on_unknown)(struct unknown value);
int set_handler(on_unknown handler);
struct unknown *unknown_new(void);
int unknown_use(struct unknown *u, union nobody *n, const enum none *e);
extern struct unknown unknown_one;
",
        source: r"
struct unknown { int v; };
struct unknown *unknown_new(void) { static struct unknown u = { 3 }; return &u; }
int unknown_use(struct unknown *u, union nobody *n, const enum none *e) { return u->v; }
int set_handler(on_unknown h) { return h != 0; }
struct unknown unknown_one;",
        bound: &["unknown_new", "unknown_use", "set_handler"],
        said: &[("unknown_make", "unknown"), ("unknown_take", "unknown")],
        run: r"
    let unknown = api.unknown_new()?;
    assert_eq!(api.unknown_use(unknown, omniglot::Ptr::null(), omniglot::Ptr::null())?, 3);
    assert!(!api.address_of_unknown_one()?.is_null());",
    },
    Kind {
        name: "without_size",
        header: r"
struct empty {}; union void_union {}; struct gap { int : 0; };
struct holds_empty { int a; struct empty e; int b; };
int pass_empty(struct empty e, int x); struct empty give_empty(int x);
int use_empty(struct empty *e); int sum_holder(struct holds_empty h);
int use_gap(struct gap *g, union void_union *u); int fine(int x);
",
        source: r"
int pass_empty(struct empty e, int x) { return x; }
struct empty give_empty(int x) { struct empty e; return e; }
int use_empty(struct empty *e) { return e != 0; }
int sum_holder(struct holds_empty h) { return h.a + h.b; }
int use_gap(struct gap *g, union void_union *u) { return g || u; }
int fine(int x) { return x; }",
        bound: &["use_empty", "sum_holder", "use_gap", "fine"],
        run: "assert_eq!(api.fine(4)?, 4);",
        ..PLAIN
    },
    Kind {
        name: "enums_of_all_sizes",
        header: r"
enum negative { MINUS = -2147483647 - 1, ZERO = 0, PLUS = 2147483647 };
enum big { BIG_ONE = 1, BIG_MOST = 0xffffffffffffffff };
enum long_one { LONG_LEAST = -1, LONG_MOST = 0x7fffffffffffffff };
enum high { HIGH_BIT = 0x80000000, HIGH_ONE = 1 };
enum __attribute__((packed)) tiny { TINY_A, TINY_B = 200 };
enum __attribute__((packed)) tiny_signed { TS_A = -1, TS_B = 100 };
typedef enum { SAME = 4, ALSO = 4, AGAIN = 4, OTHER } repeated;
enum { NAMELESS_A = -5, NAMELESS_B = 0xfffffff0u, NAMELESS_C = 1ull << 40 };
enum from_others { FROM = NAMELESS_A + 1, TO = FROM * 2, SIZE = sizeof(long) };
struct with_enum { enum { INNER_X, INNER_Y } inner; enum tiny t; enum big b; } ;
enum negative neg(enum negative n); enum big big(enum big b); enum long_one lng(enum long_one l);
enum high high(enum high h); enum tiny tiny(enum tiny t); enum tiny_signed tsi(enum tiny_signed t);
repeated rep(repeated r); int inner(struct with_enum w); enum from_others frm(int x);
",
        source: r"
enum negative neg(enum negative n) { return n; } enum big big(enum big b) { return b; }
enum long_one lng(enum long_one l) { return l; } enum high high(enum high h) { return h; }
enum tiny tiny(enum tiny t) { return t; } enum tiny_signed tsi(enum tiny_signed t) { return t; }
repeated rep(repeated r) { return r; } int inner(struct with_enum w) { return w.inner + w.t; }
enum from_others frm(int x) { return x; }",
        bound: &["neg", "big", "lng", "high", "tiny", "tsi", "rep", "inner", "frm"],
        run: r"
    assert_eq!(api.neg(lib::negative::MINUS)?, lib::negative::MINUS);
    assert_eq!(api.big(lib::big::BIG_MOST)?, lib::big::BIG_MOST);
    assert_eq!(api.lng(lib::long_one::LONG_LEAST)?, lib::long_one::LONG_LEAST);
    assert_eq!(api.high(lib::high::HIGH_BIT)?, lib::high::HIGH_BIT);
    assert_eq!(api.tiny(lib::tiny::TINY_B)?, lib::tiny::TINY_B);
    assert_eq!(api.tsi(lib::tiny_signed::TS_A)?, lib::tiny_signed::TS_A);
    assert_eq!(api.rep(lib::repeated::ALSO)?, lib::repeated::SAME);
    assert_eq!(api.frm(8)?, lib::from_others::SIZE);
    assert_eq!(lib::NAMELESS_C as i128, 1 << 40);
    assert_eq!(lib::NAMELESS_B as i128, 0xffff_fff0);
    assert_eq!(lib::NAMELESS_A as i128, -5);",
        ..PLAIN
    },
    Kind {
        name: "types_within_each_other",
        header: r"
struct node; typedef struct node node, *node_ptr; typedef node_ptr *node_list;
typedef int visit(node_ptr n, struct node by_value);
struct node { struct node *next; node_ptr prev; visit *on_visit; int (*self)(struct node n); int v; };
struct left { struct right *other; int v; }; struct right { struct left inner; struct left *other; };
union tree { union tree *children[2]; struct { union tree *up; enum shade { DARK, LIGHT } shade; } at; };
typedef struct outer { struct inner { struct innermost { int v; } most; } in; struct inner *p; } outer;
int visit_node(node_list list, visit *v); int read_right(struct right r); int shade_of(const union tree *t);
int deepest(outer o, struct inner i, struct innermost *m); enum shade other(enum shade s);
int scoped(struct local { int a; } *p, enum in_list { LIST_A } e);
",
        source: r"
int visit_node(node_list list, visit *v) { node n = { .v = 5 }; return v ? v(&n, n) : (list != 0); }
int read_right(struct right r) { return r.inner.v; }
int shade_of(const union tree *t) { return t->at.shade; }
int deepest(outer o, struct inner i, struct innermost *m) { return o.in.most.v + i.most.v + m->v; }
enum shade other(enum shade s) { return !s; }",
        bound: &["visit_node", "read_right", "shade_of", "deepest", "other"],
        run: r"
    let right = lib::right { inner: lib::left { v: 8, ..Default::default() }, ..Default::default() };
    assert_eq!(api.read_right(right)?, 8);
    assert_eq!(api.other(lib::shade::DARK)?, lib::shade::LIGHT);",
        ..PLAIN
    },
    Kind {
        name: "arrays_and_pointers_to_them",
        header: r"
typedef int matrix[2][3]; typedef const char *pair[2]; typedef double row[4];
int sum(matrix m); int sum_const(const int m[2][3]); int total(int (*rows)[3], int count);
matrix *identity(void); double first(row r, row *more); int (*third(void))[3];
struct holds { matrix m; pair names; row *rows; int (*handlers[2])(int); char grid[2][2][2]; };
int held(const struct holds *h); struct holds hold(int x);
extern matrix global_matrix; extern pair global_pair; typedef int (*table[2])(int); extern table global_table;
int at_least(int a[static 2]); int variable(int n, int a[n]); int both(int n, int m, int a[n][m]);
int star(int n, int a[*]); int restricted(int n, int *restrict a, const int b[restrict static 1]);
int qualified(int n, const int a[const]); int texts(const char *const names[]);
",
        source: r#"
int sum(matrix m) { int s = 0; for (int i = 0; i < 6; i++) s += m[i / 3][i % 3]; return s; }
int sum_const(const int m[2][3]) { return m[1][2]; }
int total(int (*rows)[3], int count) { return rows[count - 1][2]; }
matrix global_matrix = { { 1, 2, 3 }, { 4, 5, 6 } }; pair global_pair = { "a", "b" };
matrix *identity(void) { return &global_matrix; }
double first(row r, row *more) { return r[0] + (*more)[3]; }
int (*third(void))[3] { return &global_matrix[1]; }
static int one(int x) { return x + 1; } static int two(int x) { return x + 2; }
table global_table = { one, two };
int held(const struct holds *h) { return h->m[1][2] + h->grid[1][1][1] + h->handlers[0](1); }
struct holds hold(int x) { struct holds h = { { { x } }, { 0 }, 0, { one, two }, { { { 1 } } } }; h.m[1][2] = x; return h; }
int at_least(int a[static 2]) { return a[1]; } int variable(int n, int a[n]) { return a[n - 1]; }
int both(int n, int m, int a[n][m]) { return a[n - 1][m - 1]; } int star(int n, int a[n]) { return a[0]; }
int restricted(int n, int *restrict a, const int b[restrict static 1]) { return a[0] + b[0]; }
int qualified(int n, const int a[const]) { return a[0]; }
int texts(const char *const names[]) { return names[0][0]; }"#,
        bound: &[
            "sum",
            "sum_const",
            "total",
            "identity",
            "first",
            "third",
            "held",
            "hold",
            "at_least",
            "variable",
            "both",
            "star",
            "restricted",
            "qualified",
            "texts",
        ],
        run: r"
    let numbers = api.alloc([[1, 2, 3], [4, 5, 6]])?;
    assert_eq!(api.sum(numbers.as_ref().as_ptr().cast())?, 21);
    assert_eq!(api.sum_const(numbers.as_ref().as_ptr().cast())?, 6);
    let held = api.hold(4)?;
    let held = api.alloc(held)?;
    assert_eq!(api.held(&held)?, 6);
    assert_eq!(api.read_global_matrix()?, [[1, 2, 3], [4, 5, 6]]);
    let flat = api.alloc_slice(&[5, 6])?;
    assert_eq!((api.at_least(&flat)?, api.variable(2, &flat)?), (6, 6));
    let table = api.read_global_table()?;
    assert_eq!(api.call_pointer(table[1], 5)?, 7);",
        ..PLAIN
    },
];
