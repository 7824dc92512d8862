//! Images for software fault isolation: what the build script finds, and what it says where there
//! can be none. That they work is shown by `tests/conformance`, `tests/abi` and `tests/real`.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
// Helpers of tests may stop at once, as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::read::elf::ElfFile64;
use object::{Endianness, Object as _, ObjectSymbol as _};
use omniglot_build::{Error, Library};
use tempfile::TempDir;

/// What ends an image with a sandboxed one.
const MARK: &[u8] = b"omni-sfi";

/// Runs a tool, which must succeed.
fn run(tool: &str, arguments: &[&str], directory: &Path) {
    let output = Command::new(tool).args(arguments).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Makes an archive `libNAME.a` of one source.
fn archive(directory: &Path, name: &str, source: &str, ending: &str) -> PathBuf {
    let (file, object) = (format!("{name}.{ending}"), format!("{name}.o"));
    fs::write(directory.join(&file), source).unwrap();
    run("cc", &["-O1", "-fPIC", "-c", &file, "-o", &object], directory);
    let archive = directory.join(format!("lib{name}.a"));
    run("ar", &["rcs", archive.to_str().unwrap(), &object], directory);
    archive
}

fn library(directory: &Path, header: &str) -> Library {
    fs::write(directory.join("lib.h"), header).unwrap();
    Library::new("lib").header("lib.h").include(directory).out_dir(directory).sandboxed()
}

fn image(directory: &Path) -> Vec<u8> {
    fs::read(directory.join("omniglot/lib.so")).unwrap()
}

/// Checks that there is an image that ends in a sandboxed one.
#[track_caller]
fn assert_sandboxed(directory: &Path) {
    let image = image(directory);
    let rest = image.strip_suffix(MARK).unwrap();
    let (rest, length) = rest.split_last_chunk::<8>().unwrap();
    let sandboxed = &rest[rest.len() - u64::from_le_bytes(*length) as usize..];
    let sandboxed = ElfFile64::<Endianness>::parse(sandboxed).unwrap();
    let names = |symbol: &str| sandboxed.symbols().any(|own| own.name() == Ok(symbol));
    assert!(names("omniglot_image"), "the host does not find what is in it");
}

fn message(result: Result<(), Error>) -> String {
    let Err(error) = result else { panic!("it should have failed") };
    error.to_string()
}

#[track_caller]
fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{part}` is missing in: {message}");
    }
}

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn an_installed_library_is_found_with_those_that_it_needs() {
    // libpng's archive needs zlib's, which pkg-config tells only of static linking.
    let here = directory();
    let library = library(here.path(), "#include <png.h>\n").pkg_config("libpng");
    let library = library.header("png.h").allowlist_function("png_create_read_struct");
    library.generate().unwrap();
    assert_sandboxed(here.path());
}

#[test]
fn a_library_is_found_by_the_linkers_name() {
    let here = directory();
    archive(here.path(), "mine", "int mine(void) { return 7; }", "c");
    library(here.path(), "int mine(void);")
        .link_search(here.path())
        .link("mine")
        .generate()
        .unwrap();
    assert_sandboxed(here.path());
}

#[test]
fn an_archive_is_in_both_images() {
    let here = directory();
    // It needs another one, which is behind it, and the mathematical functions of the C library.
    let source =
        "#include <math.h>\nint more(void);\ndouble f(double x) { return sin(x) + more(); }";
    let first = archive(here.path(), "first", source, "c");
    let second = archive(here.path(), "second", "int more(void) { return 1; }", "c");
    library(here.path(), "double f(double);")
        .archive(first)
        .archive(second)
        .link("m")
        .generate()
        .unwrap();
    assert_sandboxed(here.path());
}

#[test]
fn an_archive_is_found_where_linkers_search() {
    let here = directory();
    let library = library(here.path(), "#include <zlib.h>\n").header("zlib.h").archive("libz.a");
    library.allowlist_function("crc32").generate().unwrap();
    assert_sandboxed(here.path());
}

#[test]
fn an_archive_of_a_linked_library_is_for_the_sandboxed_image() {
    let here = directory();
    let library = library(here.path(), "#include <zlib.h>\n").header("zlib.h").link("z");
    library.archive("libz.a").allowlist_function("crc32").generate().unwrap();
    let image = image(here.path());
    let file = ElfFile64::<Endianness>::parse(&*image).unwrap();
    let is_imported = file
        .dynamic_symbols()
        .any(|symbol| symbol.is_undefined() && symbol.name().is_ok_and(|name| name == "crc32"));
    assert!(is_imported, "crc32 was linked statically");
    assert_sandboxed(here.path());
}

#[test]
fn a_missing_archive_is_named() {
    let here = directory();
    let library = library(here.path(), "int mine(void);").archive("vendor/libmine.a");
    let said = message(library.generate());
    assert_says(&said, &["vendor/libmine.a does not exist", "-dev package", "-static package"]);
}

#[test]
fn a_library_without_an_archive_is_named() {
    let here = directory();
    fs::write(here.path().join("mine.c"), "int mine(void) { return 7; }").unwrap();
    run("cc", &["-shared", "-fPIC", "mine.c", "-o", "libmine.so"], here.path());
    let library = library(here.path(), "int mine(void);").link_search(here.path()).link("mine");
    let said = message(library.generate());
    assert_says(&said, &[".sandboxed", "-lmine (libmine.a)", "-dev package", "-static package"]);
    assert_says(&said, &[".archive(\"PATH\")", ".source", "uses mine, which no object defines"]);
}

#[test]
fn what_an_archive_needs_is_named() {
    let here = directory();
    let archive =
        archive(here.path(), "mine", "int lost(void);\nint mine(void) { return lost(); }", "c");
    // The shared object's own `lost` does not count: it is no archive.
    fs::write(here.path().join("lost.c"), "int lost(void) { return 7; }").unwrap();
    run("cc", &["-shared", "-fPIC", "lost.c", "-o", "liblost.so"], here.path());
    let library = library(here.path(), "int mine(void);").archive(archive);
    let said = message(library.link_search(here.path()).link("lost").generate());
    assert_says(&said, &["-llost (liblost.a)", "libmine.a(mine.o)", "in mine: uses lost"]);
}

#[test]
fn cpp_is_refused_with_the_reason() {
    let here = directory();
    let source =
        "#include <string>\nextern \"C\" int mine(int n) { return std::string(n, 'x').size(); }";
    let archive = archive(here.path(), "mine", source, "cpp");
    let library = library(here.path(), "int mine(int n);").archive(archive).link("stdc++");
    let said = message(library.generate());
    assert_says(&said, &["it belongs to C++", "C++ code without exceptions"]);

    fs::write(here.path().join("own.cpp"), "extern \"C\" int mine(int n) { return n; }").unwrap();
    let library =
        self::library(here.path(), "#ifdef __cplusplus\nextern \"C\"\n#endif\nint mine(int n);");
    let said = message(library.source(here.path().join("own.cpp")).generate());
    assert_says(&said, &["C++ sources cannot be rewritten yet"]);
}

#[test]
fn instructions_of_own_sources_are_refused_by_name() {
    let here = directory();
    let source = "int mine(void) { unsigned low, high; __asm__ volatile(\"rdtsc\" : \"=a\"(low), \"=d\"(high)); return low; }";
    fs::write(here.path().join("mine.c"), source).unwrap();
    let library = library(here.path(), "int mine(void);").source(here.path().join("mine.c"));
    let said = message(library.generate());
    assert_says(&said, &[".sandboxed", "mine.c", "in mine (rdtsc)"]);
}

#[test]
fn instructions_of_archives_stop_the_call() {
    let here = directory();
    let source = "int mine(int n) { unsigned low = 0, high; if (n) __asm__ volatile(\"rdtsc\" : \"=a\"(low), \"=d\"(high)); return low; }";
    let archive = archive(here.path(), "mine", source, "c");
    library(here.path(), "int mine(int n);").archive(archive).generate().unwrap();
    assert_sandboxed(here.path());
}
