//! Names that mean something else in Rust, in what is generated, or elsewhere in C.

use super::{Kind, PLAIN};

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "words_of_rust",
        header: r"
int as(int a), async(int a), await(int a), become(int a), box(int a), crate(int a), dyn(int a), fn(int a),
    gen(int a), impl(int a), in(int a), let(int a), loop(int a), match(int a), mod(int a), move(int a),
    mut(int a), priv(int a), pub(int a), ref(int a), self(int a), Self(int a), super(int a), trait(int a),
    type(int a), unsafe(int a), use(int a), where(int a), yield(int a), try(int a), macro(int a),
    raw(int a), safe(int a), auto_(int a), macro_rules(int a), str(int a), u8(int a), usize(int a),
    abstract(int a), final(int a), override(int a), virtual(int a), typeof_(int a), unsized(int a);
struct type { int ref; int mut; int self; int Self; int crate; int super; int box; int str; int union_; };
enum impl { dyn_1, where_, Self_, self_ }; union mod { int move; float let; };
typedef struct type *trait_; typedef int (*use_fn)(int self, int crate, int Self, int super, int type);
int pass(struct type type, enum impl impl, union mod mod, int self, int crate, int Self, int super, int fn);
int call(use_fn match); extern int static_, become_; extern int priv_;
#define yield_ 3
#define unsafe_ 4
",
        source: r"
#define F(n) int n(int a) { return a; }
F(as) F(async) F(await) F(become) F(box) F(crate) F(dyn) F(fn) F(gen) F(impl) F(in) F(let) F(loop) F(match)
F(mod) F(move) F(mut) F(priv) F(pub) F(ref) F(self) F(Self) F(super) F(trait) F(type) F(unsafe) F(use)
F(where) F(yield) F(try) F(macro) F(raw) F(safe) F(auto_) F(macro_rules) F(str) F(u8) F(usize) F(abstract)
F(final) F(override) F(virtual) F(typeof_) F(unsized)
int pass(struct type type, enum impl impl, union mod mod, int self, int crate, int Self, int super, int fn) {
    return type.self + impl + mod.move + self + crate + Self + super + fn;
}
int call(use_fn match) { return match(1, 2, 3, 4, 5); } int static_ = 1, become_ = 2, priv_ = 3;",
        bound: &["as", "self", "Self", "crate", "super", "pass", "call", "yield", "u8", "str"],
        run: r"
    assert_eq!(api.self_(4)?, 4);
    let ty = lib::type_ { self_: 5, ..Default::default() };
    assert_eq!(api.pass(ty, lib::impl_::Self_, lib::mod_::from_move_(1), 1, 1, 1, 1, 1)?, 13);",
        ..PLAIN
    },
    Kind {
        name: "words_of_what_is_generated",
        header: r"
typedef struct generated { int v; } generated; typedef struct constants { int v; } constants;
struct core { int v; }; struct std { int v; }; struct omniglot { int v; }; struct alloc_ { int v; };
struct Api { int v; }; struct Option { int v; }; struct Result { int v; }; struct Vec { int v; };
struct String { int v; }; struct Box { int v; }; struct Some { int v; }; struct None { int v; };
struct Ok { int v; }; struct Err { int v; }; struct Default { int v; }; struct Debug { int v; };
struct Clone { int v; }; struct Copy { int v; }; struct PartialEq { int v; }; struct Foreign { int v; };
struct Frame { int v; }; struct Ptr { int v; }; struct FnPtr { int v; }; struct Runtime { int v; };
struct Field { int v; }; struct Library { int v; }; struct Signature { int v; }; struct bool_ { int v; };
struct OmniglotRuntime { int v; }; struct OmniglotLayout { int v; }; struct zerocopy { int v; };
struct DESCRIPTION { int v; }; struct Ref { int v; }; struct Slice { int v; }; struct layout { int v; };
enum Error { None_, Some_, Ok_ }; typedef enum { Some, None, Ok, Err } variants;
int on(generated g, constants c, struct core a, struct std b, struct omniglot d, struct Api e, struct Option f,
    struct Result h, struct Some i, struct None j, struct Ok k, struct Err l, struct Default m, struct Debug n);
int on_more(struct Clone a, struct Copy b, struct PartialEq c, struct Foreign d, struct Frame e, struct Ptr f,
    struct FnPtr g, struct Runtime h, struct Field i, struct Library j, struct Signature k,
    struct OmniglotRuntime l, struct OmniglotLayout m, struct zerocopy n, struct DESCRIPTION o, struct layout p);
int frame(int frame, int api, int result, int header, int function, int omniglot_scope, int value, int bytes);
int new(int x), builder(int x), default_(int x), clone(int x), into(int x), drop(int x), call(int x), main_(int x);
int malloc_(int x), read(int x), write_value(int x), fn_ptr(int x), scope(int x), errno_(int x), reset(int x);
struct fields { int frame, out, bytes, self_, encode, explain, NAME, default_, clone, from_ne_bytes, X, x; };
int on_fields(struct fields f); variants pick(variants v); enum Error error(enum Error e);
struct bits { unsigned NAME : 3, name : 3, set_name : 3, encode : 3, default_ : 3; }; int on_bits(struct bits b);
union accessors { int a; int from_a; int to_ne_bytes; int from_ne_bytes; int A; }; int on_union(union accessors u);
#define NAME 1
#define FIRST_SLOT 2
#define Frame_ 3
",
        source: r"
#undef NAME
int on(generated g, constants c, struct core a, struct std b, struct omniglot d, struct Api e, struct Option f,
    struct Result h, struct Some i, struct None j, struct Ok k, struct Err l, struct Default m, struct Debug n) { return g.v + n.v; }
int on_more(struct Clone a, struct Copy b, struct PartialEq c, struct Foreign d, struct Frame e, struct Ptr f,
    struct FnPtr g, struct Runtime h, struct Field i, struct Library j, struct Signature k,
    struct OmniglotRuntime l, struct OmniglotLayout m, struct zerocopy n, struct DESCRIPTION o, struct layout p) { return a.v + p.v; }
int frame(int frame, int api, int result, int header, int function, int omniglot_scope, int value, int bytes) { return frame + bytes; }
#define F(n) int n(int x) { return x; }
F(new) F(builder) F(default_) F(clone) F(into) F(drop) F(call) F(main_) F(malloc_) F(read) F(write_value)
F(fn_ptr) F(scope) F(errno_) F(reset)
int on_fields(struct fields f) { return f.x; } variants pick(variants v) { return v; } enum Error error(enum Error e) { return e; }
int on_bits(struct bits b) { return b.name; } int on_union(union accessors u) { return u.a; }",
        bound: &[
            "on",
            "on_more",
            "frame",
            "new",
            "builder",
            "clone",
            "into",
            "drop",
            "on_fields",
            "pick",
            "error",
            "on_bits",
            "on_union",
        ],
        run: r"
    assert_eq!(api.frame(1, 0, 0, 0, 0, 0, 0, 2)?, 3);
    assert_eq!(api.pick(lib::variants::Err)?, lib::variants::Err);
    let generated = lib::generated_ { v: 3 };
    assert_eq!(generated.v, 3);
    let constants = lib::constants_ { v: 4 };
    assert_eq!(constants.v, 4);",
        ..PLAIN
    },
    Kind {
        name: "types_of_rusts_names",
        header: r"
typedef unsigned char u8; typedef short i8; typedef float f32; typedef long isize; typedef double f64;
typedef int i32_; typedef char *str; typedef unsigned bool_; typedef struct { u8 v; } usize;
typedef unsigned int uint; typedef signed char schar; typedef int c_int; typedef char c_char; typedef long c_void;
u8 take_u8(u8 x); i8 take_i8(i8 x); f32 take_f32(f32 x); isize take_isize(isize x); str take_str(str s);
int take_usize(usize u); c_int take_c_int(c_int x); c_void take_c_void(c_void v, c_char c);
#define U8_MOST ((u8)255)
#define I8_MOST ((i8)300)
",
        source: r"
u8 take_u8(u8 x) { return x; } i8 take_i8(i8 x) { return x; } f32 take_f32(f32 x) { return x; }
isize take_isize(isize x) { return x; } str take_str(str s) { return s; } int take_usize(usize u) { return u.v; }
c_int take_c_int(c_int x) { return x; } c_void take_c_void(c_void v, c_char c) { return v + c; }",
        bound: &[
            "take_u8",
            "take_i8",
            "take_f32",
            "take_isize",
            "take_str",
            "take_usize",
            "take_c_int",
            "take_c_void",
        ],
        run: r"
    assert_eq!(api.take_i8(300)?, 300);
    assert_eq!(api.take_u8(255)?, 255);
    assert_eq!(api.take_c_void(1 << 40, 1)?, (1 << 40) + 1);
    assert_eq!(lib::I8_MOST, 300);",
        ..PLAIN
    },
    Kind {
        name: "one_name_for_many_things",
        header: r"
struct stat { int size; }; int stat(const char *path, struct stat *out);
struct list { int list; }; struct list *list(struct list *list); enum color { color }; enum color colors(int color);
#define twice(x) ((x) * 2)
int (twice)(int x);
#define self_named self_named
extern int self_named;
#define renamed_by_macro actual_function
int renamed_by_macro(int x);
#define old_type new_type
typedef struct old_type { int v; } old_type; old_type make_old(int v);
typedef struct same_as_global { int v; } same_as_global_t; extern int same_as_global; extern int tag_and_enum;
enum tag_and_enum_t { TAG_A, TAG_B }; int goto_(int x); struct tm_ { int tm_; }; union u { int u; }; int u(union u u);
#define shadow 5
int shadowed(int shadow_);
#define A_FUNCTION stat
#define A_TYPE struct list
#define A_KEYWORD inline
",
        source: r"
int stat(const char *path, struct stat *out) { out->size = 3; return 0; }
struct list *list(struct list *list) { return list; } enum color colors(int c) { return c; }
int (twice)(int x) { return x + x; } int self_named = 4; int renamed_by_macro(int x) { return x + 1; }
old_type make_old(int v) { old_type o = { v }; return o; } int same_as_global = 6; int tag_and_enum = 7;
int goto_(int x) { return x; } int u(union u u) { return u.u; } int shadowed(int x) { return x; }",
        bound: &["stat", "list", "colors", "twice", "make_old", "goto_", "u", "shadowed"],
        run: r"
    assert_eq!(api.twice(4)?, 8);
    assert_eq!(api.read_self_named()?, 4);
    assert_eq!(api.make_old(5)?.v, 5);
    assert_eq!(api.read_same_as_global()?, 6);
    assert_eq!(api.u(lib::u::from_u(9))?, 9);",
        ..PLAIN
    },
    Kind {
        name: "names_in_other_writings",
        header: "int größe(int länge);\nstruct точка { int икс; };\nint сумма(struct точка т);\n\
                 enum 色 { 赤 = 1, 青 };\nenum 色 次(enum 色 色);\n#define ÜBER 3\n\
                 typedef struct \\u00e9tat { int \\u00e9t\\u00e9; } \\u00e9tat; int prendre(\\u00e9tat e);\n\
                 int ok(int x);\n",
        source: "int größe(int x) { return x; } int сумма(struct точка т) { return т.икс; }\n\
                 enum 色 次(enum 色 色) { return 青; } int prendre(\\u00e9tat e) { return e.\\u00e9t\\u00e9; }\n\
                 int ok(int x) { return x; }",
        bound: &["größe", "сумма", "次"],
        run: "
    assert_eq!(api.größe(3)?, 3);
    assert_eq!(api.сумма(lib::точка { икс: 4 })?, 4);
    assert_eq!(api.次(lib::色::赤)?, lib::色::青);
    assert_eq!(lib::ÜBER, 3);",
        ..PLAIN
    },
    Kind {
        name: "macros_over_c_itself",
        header: r"
#include <stdlib.h>
#include <string.h>
#define inline __inline__
#define restrict __restrict__
#define bool int
#define true 1
#define false 0
#define unlikely(x) __builtin_expect(!!(x), 0)
extern int allocations;
static inline void *counted_malloc(size_t n) { allocations++; return malloc(n); }
static inline void counted_free(void *p) { allocations--; free(p); }
#define malloc counted_malloc
#define free(p) counted_free(p)
#define memset(a, b, c) no_memset_here
#define memcpy no_memcpy_here
#define status broken.status
#define result 3
#define offsetof(a, b) 77
#define uint32_t unsigned short
#define int32_t short
#define size_t char
struct has_bool { bool b; int status_; };
bool negate(bool b); int work(struct has_bool h);
",
        source: r"
#undef memcpy
int allocations; bool negate(bool b) { return !b; } int work(struct has_bool h) { return h.b; }",
        bound: &["negate", "work"],
        run: r"
    assert_eq!((api.negate(0)?, api.work(lib::has_bool { b: 3, ..Default::default() })?), (1, 3));
    let before = api.read_allocations()?;
    let number = api.alloc(5)?;
    assert_eq!(api.read(&number)?, 5);
    assert_eq!(api.read_allocations()?, before);",
        ..PLAIN
    },
];
