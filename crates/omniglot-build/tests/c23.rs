//! Headers in C23 are bound, or left out by name, with each C compiler that knows it.
//!
//! What a compiler and libclang know of C23 differs by version, so each feature is tried apart: it
//! is tested if both accept it. Those that every supported version accepts must be among them.
// Helpers of tests may stop at once, as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::env;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use omniglot_build::{Library, Preview};

/// A part of a header.
struct Feature {
    name: &'static str,
    header: &'static str,
    source: &'static str,
    /// The functions that must be bound.
    bound: &'static [&'static str],
    /// What must stand in the generated Rust, with single spaces.
    rust: &'static [&'static str],
    /// The items that must be left out, each with a part of the reason.
    said: &'static [(&'static str, &'static str)],
    /// Every compiler that is supported knows it.
    is_old: bool,
}

const PLAIN: Feature =
    Feature { name: "", header: "", source: "", bound: &[], rust: &[], said: &[], is_old: false };

const FEATURES: &[Feature] = &[
    Feature {
        name: "attributes",
        header: r#"
[[nodiscard]] int attributed(int x);
[[deprecated("use another")]] int deprecated_one(int x);
enum [[maybe_unused]] marked { M_A = 1 };
struct [[maybe_unused]] marked_too { [[maybe_unused]] int member; };
[[maybe_unused]] enum marked takes_marked(enum marked m, struct marked_too *s);
"#,
        source: r"
int attributed(int x) { return x; }
int deprecated_one(int x) { return x; }
enum marked takes_marked(enum marked m, struct marked_too *s) { (void)s; return m; }",
        bound: &["attributed", "deprecated_one", "takes_marked"],
        rust: &["pub enum marked"],
        is_old: true,
        ..PLAIN
    },
    Feature {
        name: "separators and binary numbers",
        header: r"
#define MILLION 1'000'000
#define BITS 0b1010'0101
#define LONG_HEX 0xffff'0000'0000ull
#define THOUSANDTH 0.000'1
#define BEHIND_SEPARATORS 7
enum separated { SEPARATED = 1'0 };
",
        rust: &[
            "MILLION: ::core::ffi::c_int = 1000000;",
            "BITS: ::core::ffi::c_int = 165;",
            "LONG_HEX: ::core::ffi::c_ulonglong = 281470681743360;",
            "THOUSANDTH: f64 = 0.0001;",
            "BEHIND_SEPARATORS: ::core::ffi::c_int = 7;",
            "SEPARATED = 10,",
        ],
        is_old: true,
        ..PLAIN
    },
    Feature {
        name: "elifdef",
        header: "
#ifdef NOT_THERE
#elifdef NOT_THERE_EITHER
#elifndef NOT_THERE
int chosen(int x);
#endif
",
        source: "int chosen(int x) { return x; }",
        bound: &["chosen"],
        is_old: true,
        ..PLAIN
    },
    Feature {
        name: "assertions without a message",
        header: "_Static_assert(sizeof(char) == 1);\nint asserted(int x);\n",
        source: "int asserted(int x) { return x; }",
        bound: &["asserted"],
        is_old: true,
        ..PLAIN
    },
    Feature {
        name: "keywords",
        header: r"
static_assert(sizeof(long) >= sizeof(int));
bool flipped(bool b);
struct aligned { alignas(16) char bytes[16]; };
int on_aligned(struct aligned *a);
extern thread_local int of_this_thread;
#define YES true
#define ALIGNMENT alignof(struct aligned)
",
        source: r"
bool flipped(bool b) { return !b; }
int on_aligned(struct aligned *a) { return a->bytes[0]; }
thread_local int of_this_thread;",
        bound: &["flipped", "on_aligned"],
        rust: &["YES: bool = true;", "ALIGNMENT: ::core::ffi::c_ulong = 16;"],
        ..PLAIN
    },
    Feature {
        name: "enums with a type",
        header: r"
enum small : unsigned char { S_A = 1, S_B = 200 };
enum small next(enum small s);
struct has_small { enum small s; unsigned char last; };
_Static_assert(sizeof(struct has_small) == 2);
int on_small(struct has_small *s);
",
        source: r"
enum small next(enum small s) { return s; }
int on_small(struct has_small *s) { return s->last; }",
        bound: &["next", "on_small"],
        rust: &["#[repr(u8)]"],
        ..PLAIN
    },
    Feature {
        name: "large enumerators",
        header: r"
enum large { L_A = 0x1'0000'0000, L_B = 1 };
enum large larger(enum large l);
",
        source: "enum large larger(enum large l) { return l; }",
        bound: &["larger"],
        rust: &["L_A = 4294967296,"],
        ..PLAIN
    },
    Feature {
        name: "constexpr",
        header: r"
constexpr int LIMIT = 42;
constexpr double RATIO = 1.5;
int limited(char bytes[LIMIT]);
",
        source: "int limited(char bytes[LIMIT]) { return bytes[0]; }",
        bound: &["limited"],
        rust: &["LIMIT: ::core::ffi::c_int = 42;", "RATIO: f64 = 1.5;"],
        ..PLAIN
    },
    Feature {
        name: "typeof",
        header: r"
typeof(long *) through(typeof(1L) v);
typeof_unqual(const short) unqualified(typeof_unqual(const short) s);
",
        source: r"
typeof(long *) through(typeof(1L) v) { (void)v; return 0; }
typeof_unqual(const short) unqualified(typeof_unqual(const short) s) { return s; }",
        bound: &["through", "unqualified"],
        ..PLAIN
    },
    Feature {
        name: "nullptr",
        header: r"
typedef typeof(nullptr) nothing_t;
#define NOTHING nullptr
#define BEHIND_NOTHING 5
int behind_nothing(void *p);
",
        source: "int behind_nothing(void *p) { return p == nullptr; }",
        bound: &["behind_nothing"],
        rust: &["BEHIND_NOTHING: ::core::ffi::c_int = 5;"],
        ..PLAIN
    },
    Feature {
        name: "exact widths",
        header: r"
_BitInt(17) wide(_BitInt(17) x);
struct bits { unsigned _BitInt(40) b; int after; };
int on_bits(struct bits *b);
typedef unsigned _BitInt(9) nine_bits;
int behind_bits(int x);
",
        source: r"
_BitInt(17) wide(_BitInt(17) x) { return x; }
int on_bits(struct bits *b) { return b->after; }
int behind_bits(int x) { return x; }",
        bound: &["on_bits", "behind_bits"],
        said: &[("wide", "_BitInt")],
        ..PLAIN
    },
    Feature {
        name: "literals of exact widths",
        header: "#define THREE_BITS 3wb\n#define BEHIND_THREE_BITS 6\n",
        rust: &["BEHIND_THREE_BITS: ::core::ffi::c_int = 6;"],
        ..PLAIN
    },
    Feature {
        name: "characters in UTF-8",
        header: "#define LETTER u8'a'\n#define BEHIND_LETTER 8\n",
        rust: &["LETTER: ", "BEHIND_LETTER: ::core::ffi::c_int = 8;"],
        is_old: true,
        ..PLAIN
    },
    Feature {
        name: "parameters that need no name",
        header: "int none();\nint any_number(...);\nint behind_any(int);\n",
        source: r"
int none() { return 3; }
int any_number(...) { return 4; }
int behind_any(int) { return 5; }",
        bound: &["none", "behind_any"],
        said: &[("any_number", "variadic")],
        ..PLAIN
    },
];

/// The language, as libclang and compilers from gcc 12 and clang 14 on call it.
const LANGUAGE: &str = "-std=gnu2x";

/// The variable by which the test starts itself for one C compiler: whose environment a build
/// script would have is the process's own.
const CHILD: &str = "OMNIGLOT_TEST_C23";

#[test]
fn c23_is_bound_with_each_compiler() {
    if env::var_os(CHILD).is_some() {
        return bind();
    }
    let compilers = ["gcc", "gcc-14", "gcc-16", "clang", "clang-14", "clang-19"];
    let mut tried = 0;
    for compiler in compilers.into_iter().filter(|name| is_there(name)) {
        let mut child = Command::new(env::current_exe().unwrap());
        child.args(["--exact", "c23_is_bound_with_each_compiler", "--nocapture"]);
        child.env(CHILD, "1").env("CC", compiler).env("CFLAGS", LANGUAGE);
        let output = child.output().unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{compiler}: {said}");
        println!("{compiler}: {said}");
        tried += 1;
    }
    assert!(tried > 0, "there is no C compiler");
}

fn is_there(compiler: &str) -> bool {
    Command::new(compiler).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Binds the features that the C compiler and libclang accept.
fn bind() {
    let directory = tempfile::tempdir().unwrap();
    let features: Vec<&Feature> =
        FEATURES.iter().filter(|feature| is_accepted(feature, directory.path())).collect();
    let missing = FEATURES.iter().filter(|feature| feature.is_old);
    let mut missing = missing.filter(|old| !features.iter().any(|known| known.name == old.name));
    assert!(missing.next().is_none(), "not accepted, although it is old");
    let preview = preview(&features, directory.path()).unwrap();
    let rust = preview.rust.split_whitespace().collect::<Vec<_>>().join(" ");
    for feature in &features {
        println!("tested: {}", feature.name);
        check(feature, &preview, &rust);
    }
}

fn check(feature: &Feature, preview: &Preview, rust: &str) {
    let name = feature.name;
    for function in feature.bound {
        let is_bound = preview.functions.iter().any(|bound| bound == function);
        assert!(is_bound, "{name}: {function} is not bound: {:#?}", preview.problems);
    }
    for text in feature.rust {
        assert!(rust.contains(text), "{name}: no `{text}`: {:#?}", preview.problems);
    }
    for (item, part) in feature.said {
        let is_said = preview.problems.iter().any(|problem| {
            problem.item == *item && problem.place.is_some() && problem.reason.contains(part)
        });
        assert!(is_said, "{name}: {item} is not said: {:#?}", preview.problems);
    }
}

/// Returns true if the C compiler compiles it, and libclang reads it.
fn is_accepted(feature: &&Feature, directory: &Path) -> bool {
    let source = directory.join("feature.c");
    let compiler = env::var_os("CC").unwrap_or_default();
    std::fs::write(&source, format!("{}\n{}\n", feature.header, feature.source)).unwrap();
    let mut command = Command::new(compiler);
    command.args([LANGUAGE, "-w", "-fsyntax-only"].map(OsStr::new)).arg(&source);
    let compiled = command.output().unwrap();
    compiled.status.success() && preview(&[feature], directory).is_ok()
}

fn preview(features: &[&Feature], directory: &Path) -> omniglot_build::Result<Preview> {
    let text = |part: fn(&Feature) -> &'static str| {
        features.iter().map(|feature| part(feature)).collect::<String>()
    };
    let header = format!("#pragma once\nint always(int x);\n{}", text(|feature| feature.header));
    let source = format!(
        "#include \"c23.h\"\nint always(int x) {{ return x; }}\n{}\n",
        text(|feature| feature.source)
    );
    std::fs::write(directory.join("c23.h"), header).unwrap();
    std::fs::write(directory.join("c23.c"), source).unwrap();
    Library::new("c23")
        .header("c23.h")
        .include(directory)
        .source(directory.join("c23.c"))
        .clang_arg(LANGUAGE)
        .preview_linked(directory.join("out"))
}
