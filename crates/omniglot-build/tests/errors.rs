//! Every way in which generation fails says what to do.
// Helpers of tests may stop at once, as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use omniglot_build::{Error, Handle, Library, Problem, Wrapper};
use support::library;

/// A library with one header and one C source in a directory of its own.
fn written(directory: &Path, header: &str, source: &str) -> Library {
    fs::write(directory.join("lib.h"), header).unwrap();
    fs::write(directory.join("lib.c"), format!("#include \"lib.h\"\n{source}")).unwrap();
    Library::new("lib")
        .header("lib.h")
        .include(directory)
        .source(directory.join("lib.c"))
        .out_dir(directory)
}

/// Generates the library of a header and a source.
fn generate(header: &str, source: &str) -> Result<(), Error> {
    let directory = tempfile::tempdir().unwrap();
    written(directory.path(), header, source).generate()
}

fn message(result: Result<impl Sized, Error>) -> String {
    let Err(error) = result else { panic!("it should have failed") };
    assert_eq!(format!("{error}"), format!("{error:?}"), "main prints `{{:?}}`");
    error.to_string()
}

#[track_caller]
fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{part}` is missing in: {message}");
    }
}

/// Runs a test of this file again in a process with other environment variables.
fn in_environment(test: &str, variables: &[(&str, &str)], run: impl FnOnce() -> String) -> String {
    if env::var_os("OMNIGLOT_BUILD_TEST").is_some() {
        println!("<<{}>>", run());
        return String::new();
    }
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("OMNIGLOT_BUILD_TEST", "1")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let message = stdout.split_once("<<").and_then(|(_, rest)| rest.split_once(">>"));
    message.map(|(message, _)| message.to_owned()).unwrap()
}

#[test]
fn libclang_missing() {
    let said = in_environment("libclang_missing", &[("LIBCLANG_PATH", "/nonexistent")], || {
        message(library("enums").preview())
    });
    if !said.is_empty() {
        assert_says(&said, &["libclang", "apt install libclang-dev", "dnf install clang-devel"]);
    }
}

#[test]
fn pkg_config_missing() {
    let said = in_environment("pkg_config_missing", &[("PKG_CONFIG", "/nonexistent")], || {
        message(library("enums").pkg_config("zlib").preview())
    });
    if !said.is_empty() {
        assert_says(&said, &["pkg-config cannot be run", "apt install pkg-config"]);
    }
}

#[test]
fn compiler_missing() {
    let said = in_environment("compiler_missing", &[("CC", "/nonexistent")], || {
        message(generate("int f(void);", "int f(void) { return 1; }"))
    });
    if !said.is_empty() {
        assert_says(&said, &["no C compiler can be run", "CC"]);
    }
}

#[test]
fn package_unknown() {
    let said = message(library("enums").pkg_config("no-such-package").preview());
    assert_says(&said, &["no package no-such-package", "no-such-package.pc", "PKG_CONFIG_PATH"]);
}

#[test]
fn package_with_another_name() {
    let said = message(library("enums").pkg_config("png").preview());
    assert_says(&said, &["no package png", "It knows names like it: libpng"]);
}

#[test]
fn no_header() {
    assert_says(&message(Library::new("x").preview()), &[".header("]);
}

#[test]
fn header_missing() {
    let said = message(Library::new("x").header("no/such.h").preview());
    assert_says(&said, &["no/such.h", "file not found", "-dev package", ".include("]);
}

#[test]
fn header_with_errors() {
    let said = message(generate("int f(unknown_type x);", ""));
    assert_says(&said, &["clang cannot read lib.h", "lib.h:1", "unknown type name"]);
}

#[test]
fn source_missing() {
    let said = message(library("enums").source("no/such.c").preview());
    assert_says(&said, &["no/such.c", "does not exist"]);
}

#[test]
fn source_with_errors() {
    let said = message(generate("int f(void);", "int f(void) { return nothing; }"));
    assert_says(&said, &["C source does not compile", "lib.c:2", "nothing"]);
}

#[test]
fn library_missing() {
    let directory = tempfile::tempdir().unwrap();
    let library = written(directory.path(), "int f(void);", "int f(void) { return 1; }");
    let said = message(library.link("no-such-library").generate());
    assert_says(&said, &["-lno-such-library", ".link_search("]);
}

#[test]
fn undefined_symbols_of_sources() {
    let said = message(generate("int f(void);", "int g(void); int f(void) { return g(); }"));
    assert_says(&said, &["cannot be linked", "g"]);
}

#[test]
fn patterns_that_are_none() {
    for library in [
        library("enums").allowlist_function("("),
        library("enums").blocklist_type("["),
        library("enums").setjmp_guard("*", "x"),
        library("enums").batch("*"),
    ] {
        assert_says(&message(library.preview()), &["not a regular expression"]);
    }
}

#[test]
fn patterns_that_match_nothing() {
    let said = message(library("enums").allowlist_function("async_prin").preview());
    assert_says(&said, &[".allowlist_function(\"async_prin\")", "matches nothing", "whole names"]);
    let said = message(library("guards").batch("reader_op").preview());
    assert_says(&said, &[".batch(\"reader_op\")", "matches nothing", "reader_peek"]);
    let said = message(library("guards").setjmp_guard("writer_.*", "x").preview());
    assert_says(&said, &[".setjmp_guard(\"writer_.*\")", "matches nothing"]);
    let said =
        message(library("guards").setjmp_guard("reader_.*", "no_parameter->buffer").preview());
    assert_says(&said, &["no function that the pattern matches has a parameter"]);
}

#[test]
fn constants_of_bound_enums_are_names_that_patterns_match() {
    let header = "enum mood { MOOD_CALM, MOOD_WILD };\ntypedef enum { ERR_NONE } error;\n";
    let directory = tempfile::tempdir().unwrap();
    let moods = || written(directory.path(), header, "");
    let bound = || moods().allowlist_type("mood|error");
    let preview = bound().allowlist_var("MOOD_.*|ERR_.*").preview().unwrap();
    for name in ["MOOD_WILD", "ERR_NONE"] {
        assert!(preview.rust.contains(name), "{}", preview.rust);
    }
    let said = message(bound().allowlist_var("MOOD_.*|ERROR_.*").preview());
    assert_says(&said, &["(\"ERROR_.*\") matches nothing"]);
}

#[test]
fn names_that_are_like_a_misspelt_one_are_told() {
    let header = "#define PARTS_MOST 5\nint parts_count(void);\nint parts_clear(void);\n";
    let directory = tempfile::tempdir().unwrap();
    let parts = || written(directory.path(), header, "");
    let said = message(parts().allowlist_function("parts_cuont").preview());
    assert_says(&said, &["\"parts_cuont\"", "; like it: parts_count"]);
    let said = message(parts().allowlist_function("parts_clear|part_count").preview());
    assert_says(&said, &["(\"part_count\") matches nothing", "like it: parts_count"]);
    assert!(!said.contains("parts_clear|"), "{said}");
    let said = message(parts().allowlist_var("PARTS_MOTS").preview());
    assert_says(&said, &["like it: PARTS_MOST"]);
}

#[test]
fn no_library() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("lib.h"), "int parts_count(void);\n").unwrap();
    let library = Library::new("lib").header("lib.h").include(directory.path());
    let said = message(library.out_dir(directory.path()).generate());
    let ways = [".pkg_config(\"NAME\")", ".link(\"NAME\")", ".source(\"FILE.c\")"];
    assert_says(&said, &["nothing defines `parts_count`"]);
    assert_says(&said, &ways);
}

/// All mistakes of a build script at once.
#[test]
fn several_mistakes() {
    let said = message(
        library("guards")
            .allowlist_function("writer_.*")
            .bool_type("no_such_type")
            .raise("reader_explode")
            .function_macro("CUBE", "int (int x)")
            .preview(),
    );
    assert_says(
        &said,
        &[
            "4 mistakes in what omniglot was told:",
            "\n- .allowlist_function(\"writer_.*\") matches nothing",
            "\n- .bool_type(\"no_such_type\")",
            "\n- .raise(\"reader_explode\")",
            "\n- .function_macro(\"CUBE\", ...)",
        ],
    );
    let said = message(Library::new("1x").allowlist_type("(").preview());
    assert_says(
        &said,
        &["\n- omniglot was given no header", "\n- `1x` is no name", "\n- .allowlist_type"],
    );
}

/// What handles describe that the header does not have, with its line.
#[test]
fn handles_that_do_not_fit() {
    let handle = |ty: &str| Handle::of(ty).constructor("archive_new").destructor("archive_close");
    let said = |handle| message(library("handles").handle(handle).preview());
    assert_says(&said(handle("int")), &["int: no handle: the headers declare no struct"]);
    assert_says(&said(Handle::of("archive")), &["archive: no handle without the function"]);
    assert_says(
        &said(handle("entry")),
        &["handles.h:10: archive_close: no destructor of `entry`: it must take its address"],
    );
    assert_says(
        &said(Handle::of("archive").destructor("gone")),
        &["gone: the headers declare no such function"],
    );
    assert_says(
        &said(handle("archive").constructor("entry_free")),
        &["handles.h:11: entry_free: neither its result nor exactly one parameter gives"],
    );
    assert_says(
        &said(handle("entry_t")),
        &["handles.h:15: entry_t: no handle: it is a pointer", "Handle::of(\"entry\")"],
    );
    assert_says(
        &said(handle("anything")),
        &["handles.h:16: anything: no handle: it is a pointer to void", ".header"],
    );
    let twice = library("handles").handle(handle("archive")).handle(handle("archive_s"));
    assert_says(&message(twice.preview()), &["archive_s: no handle: the type"]);
}

/// What a header says itself, the build script cannot contradict.
#[test]
fn optional_although_never_null() {
    let wrapper = Wrapper::function("compare").in_c_str("left").optional("left");
    let said = message(library("annotations").wrap(wrapper).preview());
    assert_says(&said, &["annotations.h:18: compare: `left` cannot be optional: the header says"]);
}

#[test]
fn raise_of_an_unknown_function() {
    let said = message(library("guards").raise("reader_explode").preview());
    assert_says(&said, &[".raise(\"reader_explode\")", "no such function"]);
}

#[test]
fn descriptions_of_what_is_not_there() {
    let said = message(library("described").variadic("set", "set_long", "long").preview());
    assert_says(&said, &[".variadic(\"set\", ...)", "no such variadic function"]);
    let said = message(library("described").function_macro("CUBE", "int (int x)").preview());
    assert_says(&said, &[".function_macro(\"CUBE\", ...)", "no such macro"]);
    let said = message(library("described").variadic("set_option", "set_option", "long").preview());
    assert_says(&said, &["`set_option`", "another function"]);
}

/// All mistakes of all wrappers at once, each with the line of the header.
#[test]
fn wrappers_that_do_not_fit() {
    let said = message(
        library("wrappers")
            .wrap(
                Wrapper::function("unpack")
                    .out_slice("dst", "dest_len")
                    .in_slice("source", "dest_len")
                    .out_slice("source", "source_len")
                    .in_str("dest"),
            )
            .wrap(Wrapper::function("codec_read").in_slice("codec", "len").message("codec_name"))
            .wrap(Wrapper::function("mix").status_ok(0).returns_str(8).optional("count"))
            .wrap(Wrapper::function("gone"))
            .wrap(Wrapper::function("reason").status_ok(0))
            .preview(),
    );
    assert_says(
        &said,
        &[
            "wrappers.h:9: unpack: there is no parameter `dst`; there are: dest, dest_len, ",
            "wrappers.h:9: unpack: the length `dest_len` is not an integer",
            "unpack: the function cannot write through `source`: it is const",
            "unpack: the parameter `dest` is no `char *`",
            "wrappers.h:15: codec_read: the size of what `codec` points to is not known",
            "codec_read: there is no status that `codec_name` could explain",
            "wrappers.h:13: mix: its result is no integer or enum",
            "mix: its result is no `char *`",
            "mix: `count` can be optional only as a pointer, slice or string",
            "gone: the headers declare no such function",
            "wrappers.h:16: reason: its result is no integer or enum",
        ],
    );
}

#[test]
fn booleans_that_are_no_integers() {
    for name in ["settings", "missing"] {
        let said = message(library("booleans").bool_type(name).preview());
        assert_says(&said, &[".bool_type(", name, "no typedef"]);
    }
}

#[test]
fn descriptions_that_are_no_c() {
    let said =
        message(library("described").variadic("set_option", "set_x", "long x, longer y").preview());
    assert_says(&said, &["build.rs, .variadic set_x", "longer"]);
}

#[test]
fn names_that_rust_has_not() {
    assert_says(&message(Library::new("a-b").header("enums.h").preview()), &["`a-b`"]);
    let library = library("enums").instance_name("struct");
    assert_says(&message(library.preview()), &["`struct`"]);
}

#[test]
fn no_out_dir() {
    assert_says(&message(library("enums").generate()), &["OUT_DIR", ".out_dir("]);
}

/// Functions that cannot be called are left out; the others are bound.
#[test]
fn functions_that_cannot_be_called_are_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let header = "int here(void);\n\
        int gone(void);\n\
        extern int gone_too;\n\
        int forbidden(void) __attribute__((error(\"must not be called\")));\n\
        static inline int through(void) { return gone(); }\n";
    let library = written(directory.path(), header, "int here(void) { return 1; }");
    library.generate().unwrap();
    let rust = fs::read_to_string(directory.path().join("omniglot/lib.rs")).unwrap();
    let bound = |name: &str| rust.contains(&format!("pub fn {name}("));
    assert!(bound("here"));
    for name in ["gone", "address_of_gone_too", "forbidden", "through"] {
        assert!(!bound(name), "{name}");
    }
}

/// A macro that does not fit its description is left out, with the compiler's words.
#[test]
fn macros_that_do_not_compile_are_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let header = "int here(void);\n#define WIDTH(image) ((image)->width)\n";
    let library = written(directory.path(), header, "int here(void) { return 1; }");
    library.function_macro("WIDTH", "int (int image)").generate().unwrap();
    let rust = fs::read_to_string(directory.path().join("omniglot/lib.rs")).unwrap();
    assert!(rust.contains("pub fn here("));
    assert!(!rust.contains("pub fn WIDTH("));
}

/// What cannot be bound is listed once, each with its reason.
#[test]
fn problems_are_listed_once() {
    let problems = library("unbindable").preview().unwrap().problems;
    let items: Vec<&str> = problems.iter().map(|Problem { item, .. }| item.as_str()).collect();
    assert_eq!(
        items,
        ["by_line", "by_value", "logger", "print", "quadruple", "struct tight", "vprint"]
    );
    assert!(problems.iter().all(|problem| problem.place.is_some()), "{problems:#?}");
}

/// Of what is declared here, the library defines nothing, and some of it can be called all the same.
const DECLARED: &str = "\
int lost(void);
extern int lost_global;
double fabs(double x);
extern inline __attribute__((gnu_inline, always_inline)) int quick(int x) { return x + 1; }
static inline int own(int x) { return x + 2; }
int renamed(void) __asm__(\"f0\");
int renamed_and_lost(void) __asm__(\"lost_too\");
";

/// For a large header it is found out in advance what the library lacks.
#[test]
fn a_large_header_lacks_what_a_small_one_does() {
    let declared = |count: usize| {
        let directory = tempfile::tempdir().unwrap();
        let functions: String =
            (0..count).map(|number| format!("int f{number}(void);\n")).collect();
        let bodies: String = (0..count)
            .map(|number| format!("int f{number}(void) {{ return {number}; }}\n"))
            .collect();
        let library = written(directory.path(), &format!("{functions}{DECLARED}"), &bodies);
        let preview = library.preview_linked(directory.path()).unwrap();
        let is_numbered = |name: &String| name.trim_start_matches('f').parse::<u32>().is_ok();
        let (numbered, others): (Vec<String>, Vec<String>) =
            preview.functions.into_iter().partition(is_numbered);
        assert_eq!(numbered.len(), count);
        let problems: Vec<String> = preview
            .problems
            .iter()
            .map(|problem| format!("{}: {}", problem.item, problem.reason))
            .collect();
        (others, problems)
    };
    let (small, large) = (declared(1), declared(300));
    assert_eq!(small, large);
    assert_eq!(small.0, ["fabs", "quick", "own", "renamed"]);
    assert_eq!(small.1.len(), 3, "{:?}", small.1);
}
