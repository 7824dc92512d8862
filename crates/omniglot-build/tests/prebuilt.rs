//! What was generated ahead compiles without reading headers, or says why not.
// Helpers of tests may stop at once, as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::Path;

use omniglot_build::{Error, Library, Prebuilt};

/// Writes what is generated for a header, as a crate ships it.
fn ship(directory: &Path, header: &str) {
    fs::write(directory.join("lib.h"), header).unwrap();
    let preview = Library::new("lib").header("lib.h").include(directory).preview().unwrap();
    fs::write(directory.join("lib.rs"), preview.rust).unwrap();
    fs::write(directory.join("lib_shims.c"), preview.c).unwrap();
}

fn prebuilt(directory: &Path) -> Prebuilt {
    fs::write(directory.join("lib.c"), "#include \"lib.h\"\nint one(int x) { return x; }\n")
        .unwrap();
    Prebuilt::new("lib")
        .rust(directory.join("lib.rs"))
        .c(directory.join("lib_shims.c"))
        .include(directory)
        .source(directory.join("lib.c"))
        .out_dir(directory.join("out"))
}

#[test]
fn what_was_shipped_is_compiled() {
    let directory = tempfile::tempdir().unwrap();
    ship(directory.path(), "int one(int x);\n");
    prebuilt(directory.path()).compile().unwrap();
    let out = directory.path().join("out/omniglot");
    let shipped = fs::read_to_string(directory.path().join("lib.rs")).unwrap();
    assert_eq!(fs::read_to_string(out.join("lib.rs")).unwrap(), shipped);
    assert!(fs::read(out.join("lib.so")).unwrap().starts_with(b"\x7fELF"));
}

#[test]
fn other_targets_get_an_empty_image() {
    let directory = tempfile::tempdir().unwrap();
    ship(directory.path(), "int one(int x);\n");
    prebuilt(directory.path()).target("aarch64-apple-darwin").compile().unwrap();
    assert_eq!(fs::read(directory.path().join("out/omniglot/lib.so")).unwrap(), b"");
}

#[test]
fn a_library_of_another_version_is_named() {
    let directory = tempfile::tempdir().unwrap();
    ship(directory.path(), "int one(int x);\nint two(int x);\n");
    let error = prebuilt(directory.path()).compile().unwrap_err();
    assert!(matches!(error, Error::Outdated { .. }), "{error}");
    let message = error.to_string();
    assert!(message.contains("lib_shims.c was generated from other headers"), "{message}");
    assert!(message.contains("  two: the library does not define it"), "{message}");
}

#[test]
fn a_header_of_another_version_is_named() {
    let directory = tempfile::tempdir().unwrap();
    ship(
        directory.path(),
        "struct pair { int a, b; };\nint one(int x);\nint two(struct pair p);\n",
    );
    let changed = "struct pair { int a, b, c; };\nint one(int x);\nint two(struct pair p);\n";
    fs::write(directory.path().join("lib.h"), changed).unwrap();
    let error = prebuilt(directory.path()).compile().unwrap_err();
    assert!(matches!(error, Error::Outdated { .. }), "{error}");
    assert!(error.to_string().contains("pair"), "{error}");
}

#[test]
fn a_file_that_was_not_shipped_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let error = Prebuilt::new("lib").out_dir(directory.path()).compile().unwrap_err();
    assert!(error.to_string().contains("generated/lib.rs: "), "{error}");
}

#[test]
fn a_linked_preview_leaves_out_what_the_library_lacks() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    fs::write(directory.join("lib.h"), "int one(int x);\nint two(int x);\n").unwrap();
    fs::write(directory.join("lib.c"), "int one(int x) { return x; }\n").unwrap();
    let library =
        Library::new("lib").header("lib.h").include(directory).source(directory.join("lib.c"));
    assert_eq!(library.preview().unwrap().functions, ["one", "two"]);
    assert_eq!(library.preview_linked(directory).unwrap().functions, ["one"]);
}
