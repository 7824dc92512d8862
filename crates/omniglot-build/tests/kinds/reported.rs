//! Kinds that users of other generators reported.

use super::{Kind, PLAIN};

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "untagged_pointee",
        header: "typedef struct { int a; } *handle_p;\nint use(handle_p h);\n\
                 typedef union { int a; float b; } **twice;\nint use_twice(twice t);\n",
        source: "int use(handle_p h) { return h->a; }\nint use_twice(twice t) { return t != 0; }",
        bound: &["use", "use_twice"],
        ..PLAIN
    },
    Kind {
        name: "untagged_result",
        header: "struct { int a; } global;\nint fine(int x);\nstruct { int b; } made(void);\n",
        source: "int fine(int x) { return x; }",
        bound: &["fine"],
        said: &[("made", "without a name")],
        ..PLAIN
    },
    Kind {
        name: "untagged_by_macro",
        header: "#define VARIANT(N) struct { int count; int items[N]; }\n\
                 typedef VARIANT(4) small_set;\ntypedef VARIANT(8) large_set;\n\
                 #define COMMON union { int fd; void *slots[4]; } u;\n\
                 struct handle { int kind; COMMON };\n\
                 #define TAGGED(name) struct name\nTAGGED(named) { int v; };\n\
                 small_set make_small(int n);\nint sum(large_set set);\n\
                 int fd_of(const struct handle *h);\nint value_of(struct named n);\n",
        source: "small_set make_small(int n) { small_set s = { n, { 1 } }; return s; }\n\
                 int sum(large_set s) { return s.count; }\n\
                 int fd_of(const struct handle *h) { return h->u.fd; }\n\
                 int value_of(struct named n) { return n.v; }",
        bound: &["make_small", "sum", "fd_of", "value_of"],
        ..PLAIN
    },
    Kind {
        name: "only_declared_enum",
        header: "enum forward; int use(enum forward *p); int fine(int x);\n",
        source: "int use(enum forward *p) { return p != 0; } int fine(int x) { return x; }",
        bound: &["use", "fine"],
        ..PLAIN
    },
    Kind {
        name: "underscores",
        header: "struct interface { int in_; int type_; int type; int end; };\n\
                 struct match_ { int v; };\n\
                 struct interface make(void);\nint type_(int box_);\nint fn(int self);\n\
                 int loop_(struct match_ *m);\n",
        source: "struct interface make(void) { struct interface i = { 1, 2, 3, 4 }; return i; }\n\
                 int type_(int x) { return x; } int fn(int x) { return x; }\n\
                 int loop_(struct match_ *m) { return m->v; }",
        bound: &["make", "type_", "fn", "loop_"],
        ..PLAIN
    },
    Kind {
        name: "names_that_are_escaped_alike",
        header: "int type(int x);\nint type_(int x);\nstruct use { int a; };\n\
                 struct use_ { double b; };\nint on_one(struct use *u);\n\
                 int on_other(struct use_ *u);\nenum word { match, match_ };\n\
                 enum word pick(int x);\n",
        source: "int type(int x) { return x; } int type_(int x) { return x + 1; }\n\
                 int on_one(struct use *u) { return u->a; }\n\
                 int on_other(struct use_ *u) { return (int)u->b; }\n\
                 enum word pick(int x) { return x; }",
        bound: &["type", "type_", "on_one", "on_other", "pick"],
        ..PLAIN
    },
    Kind {
        name: "dollars",
        header: "int with$dollar(int $x);\nstruct dol$lar { int a$b; };\n\
                 int take(struct dol$lar x);\ntypedef int t$t;\nt$t give(t$t x);\n",
        source: "int with$dollar(int x) { return x; } int take(struct dol$lar x) { return x.a$b; }\n\
                 t$t give(t$t x) { return x; }",
        bound: &["with$dollar", "take", "give"],
        ..PLAIN
    },
    Kind {
        name: "tags_and_typedefs",
        header: "struct A { int x; }; typedef struct A B; struct B; void on_b(B *b);\n\
                 enum En { VARIANT }; typedef short En; En use_en(En e);\n\
                 typedef struct dual { int a; } other; struct other { double d; };\n\
                 int on_others(other *a, struct other *b);\n\
                 typedef struct tag_only *tag_only; int use_tag(tag_only t);\nint fine(int x);\n",
        source: "void on_b(B *b) { b->x = 4; } En use_en(En e) { return e; }\n\
                 int on_others(other *a, struct other *b) { return a->a + (int)b->d; }\n\
                 int use_tag(tag_only t) { return t != 0; } int fine(int x) { return x; }",
        bound: &["on_b", "on_others", "use_en", "use_tag", "fine"],
        said: &[("En", "bound as `En_`, since another type"), ("other", "bound as `other_`")],
        ..PLAIN
    },
    Kind {
        name: "compilers_own",
        header: "#include <stddef.h>\nint aligned(max_align_t *p); int fine(int x);\n",
        source: "int aligned(max_align_t *p) { return p != 0; } int fine(int x) { return x; }",
        bound: &["aligned", "fine"],
        ..PLAIN
    },
    Kind {
        name: "macros_of_types_names",
        header: "typedef int len_t; len_t lt(len_t x); struct strct { int v; };\n\
                 struct strct sm(int x); int fine(int x);\n\
                 #define len_t char\n#define strct other\n",
        source: "#undef len_t\n#undef strct\nlen_t lt(len_t x) { return x; }\n\
                 struct strct sm(int x) { struct strct s = { x }; return s; }\n\
                 int fine(int x) { return x; }",
        bound: &["lt", "sm", "fine"],
        ..PLAIN
    },
    Kind {
        name: "layouts_on_which_compilers_disagree",
        header: "typedef double d4 __attribute__((vector_size(32)));\n\
                 struct vectors { char c; d4 q; }; int on_vectors(struct vectors *v);\n\
                 enum __attribute__((aligned(16))) aligned { ONE = 1 };\n\
                 struct holds { long long before; enum aligned e; char t; };\n\
                 void fill(struct holds *h); struct holds by_value(struct holds h);\n\
                 int fine(int x);\n",
        source: "int on_vectors(struct vectors *v) { return v != 0; }\n\
                 void fill(struct holds *h) { h->t = 1; }\n\
                 struct holds by_value(struct holds h) { return h; } int fine(int x) { return x; }",
        bound: &["on_vectors", "fill", "fine"],
        ..PLAIN
    },
    Kind {
        name: "packed_and_aligned",
        header: "struct both { int a; long b; } __attribute__((packed, aligned(8)));\n\
                 struct both make(void);\n\
                 struct aligned { char c; } __attribute__((aligned(16)));\n\
                 struct __attribute__((packed)) holds { char t; struct aligned inner; int end; };\n\
                 struct __attribute__((packed)) deep { char t; struct { union { int i; float f; } u; } s; };\n\
                 int end_of(const struct holds *h); int on_deep(struct deep *d);\n\
                 struct __attribute__((packed)) bits { char t; union { char c[3]; } u; int v; };\n\
                 int on_bits(struct bits *b);\n\
                 typedef float f4 __attribute__((vector_size(16)));\n\
                 struct vector { f4 v; int end; }; int on_vector(struct vector *v);\n",
        source: "struct both make(void) { struct both b = { -1, -2 }; return b; }\n\
                 int end_of(const struct holds *h) { return h->end; }\n\
                 int on_deep(struct deep *d) { return d->s.u.i; }\n\
                 int on_bits(struct bits *b) { return b->v; }\n\
                 int on_vector(struct vector *v) { return v->end; }",
        bound: &["make", "end_of", "on_deep", "on_bits", "on_vector"],
        said: &[("struct both", "bound as bytes"), ("struct holds", "bound as bytes")],
        ..PLAIN
    },
    Kind {
        name: "constant_members",
        header: "struct fixed { const int c; int v; }; struct fixed make(void);\n\
                 int sum(struct fixed f); struct pointer { int *const p; };\n\
                 struct pointer point(void); struct outer { struct fixed f[2]; };\n\
                 struct outer nest(void); typedef struct fixed (*maker)(struct fixed f);\n\
                 struct fixed through(maker m);\n",
        source: "struct fixed make(void) { struct fixed f = { 4, 5 }; return f; }\n\
                 int sum(struct fixed f) { return f.c + f.v; }\n\
                 struct pointer point(void) { struct pointer p = { 0 }; return p; }\n\
                 struct outer nest(void) { struct outer o = { { { 1, 2 } } }; return o; }\n\
                 struct fixed through(maker m) { return m(make()); }",
        bound: &["make", "sum", "point", "nest", "through"],
        ..PLAIN
    },
    Kind {
        name: "calling_conventions",
        header: "int __attribute__((ms_abi)) other(int a, int b, int c);\n\
                 typedef int (__attribute__((ms_abi)) *other_fn)(int, int);\n\
                 int call(other_fn f); struct table { other_fn f; }; int on(struct table *t);\n\
                 int __attribute__((sysv_abi)) own(int a);\n",
        source: "int __attribute__((ms_abi)) other(int a, int b, int c) { return a + b + c; }\n\
                 int call(other_fn f) { return f(1, 2); } int on(struct table *t) { return t != 0; }\n\
                 int own(int a) { return a; }",
        bound: &["call", "on", "own"],
        said: &[("other", "calling convention"), ("other_fn", "plain addresses")],
        ..PLAIN
    },
    Kind {
        name: "kept_and_counted",
        header: "__attribute__((visibility(\"hidden\"))) int hidden(int x);\n\
                 int __attribute__((ms_abi)) counted(int count, ...);\nint fine(int x);\n",
        source: "int fine(int x) { return x; }",
        bound: &["fine"],
        said: &[("hidden", "visibility"), ("counted", "calling convention")],
        ..PLAIN
    },
    Kind {
        name: "undefined",
        header: "double cos(double x); int nowhere(int x); int fine(int x);\n",
        source: "int fine(int x) { return x; }",
        bound: &["fine"],
        said: &[("nowhere", "the library does not define it"), ("cos", ".link(\"m\")")],
        ..PLAIN
    },
    Kind {
        name: "flags_and_macros",
        header: include_str!("../headers/macros.h"),
        source: "int variable; enum access allowed(enum access a, int f) { return a; }",
        bound: &["allowed"],
        ..PLAIN
    },
    Kind {
        name: "comments",
        header: "/** Hides \u{202e}what follows\u{202c}, rings \u{7}. */\nint fine(int x);\n",
        source: "int fine(int x) { return x; }",
        bound: &["fine"],
        ..PLAIN
    },
];
