//! The generated C compiles without a warning, under every compiler that is here.
// Helpers of tests may stop at once, as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::path::Path;
use std::process::Command;

use omniglot_build::Library;
use support::{described, guarded, handles, headers, library, wrapped};

/// Compiles the C of a library with every warning an error.
fn compile(compiler: &str, name: &str, library: &Library) {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("shims.c");
    std::fs::write(&source, library.preview().unwrap().c).unwrap();
    let output = Command::new(compiler)
        .args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2", "-fPIC", "-c", "-I"])
        .arg(headers())
        .args(["-I", "/usr/include/libpng16"])
        .arg(&source)
        .arg("-o")
        .arg(directory.path().join("shims.o"))
        .output()
        .unwrap();
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{compiler}, {name}:\n{messages}");
}

fn compilers() -> impl Iterator<Item = &'static str> {
    let known = ["gcc", "clang", "clang-14", "clang-16", "clang-19"];
    known.into_iter().filter(|name| Path::new("/usr/bin").join(name).exists())
}

#[test]
fn every_header_of_the_snapshots_compiles() {
    let names = [
        "enums",
        "structs",
        "callbacks",
        "opaque",
        "unions",
        "constants",
        "names",
        "unbindable",
        "plain",
        "bit_fields",
        "macros",
    ];
    for compiler in compilers() {
        for name in names {
            compile(compiler, name, &library(name));
        }
        compile(compiler, "guards", &guarded());
        compile(compiler, "described", &described());
        compile(compiler, "wrappers", &wrapped());
        let booleans = library("booleans").bool_type("gboolean").bool_type("flag_t");
        compile(compiler, "booleans", &booleans);
        compile(compiler, "handles", &handles());
        compile(
            compiler,
            "numbers",
            &library("numbers").allowlist_function("precise|wide|spin|blend|plot"),
        );
    }
}

#[test]
fn other_enum_styles_compile() {
    let library = library("enums")
        .newtype_enum("direction")
        .bitfield_enum("flags")
        .constified_enum("async_res_t");
    compilers().for_each(|compiler| compile(compiler, "enums", &library));
}

#[test]
fn guarded_libpng_compiles() {
    let library = Library::new("png")
        .header("png.h")
        .pkg_config("libpng")
        .allowlist_function("png_.*")
        .setjmp_guard("png_(read|write)_.*", "png_jmpbuf(png_ptr)")
        .raise("png_error");
    compilers().for_each(|compiler| compile(compiler, "png", &library));
}
