//! Images for machines without an operating system.
// Helpers of tests may stop at once, as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use omniglot_build::{Library, Result};

const TARGET: &str = "riscv32imac-unknown-none-elf";
const START: u32 = 0x8000_0000;

const HEADER: &str = "#include <stddef.h>\nint add(int a, int b);\nint last_error(void);\n\
                      const char *name(void);\nchar *copy_of(const char *text);\n\
                      int absent(void);\n";
const SOURCE: &str = "#include <stdlib.h>\n#include <string.h>\n#include <errno.h>\n\
                      #include \"small.h\"\nstatic int calls = 7;\nstatic char room[100];\n\
                      int add(int a, int b) { calls++; room[0]++; return a + b; }\n\
                      int last_error(void) { return errno; }\n\
                      const char *name(void) { return \"small\"; }\n\
                      char *copy_of(const char *text) { return strdup(text); }\n";

/// Generates a small library into a directory.
fn generate(directory: &Path, source: &str, describe: impl Fn(Library) -> Library) -> Result<()> {
    std::fs::write(directory.join("small.h"), HEADER).unwrap();
    std::fs::write(directory.join("small.c"), source).unwrap();
    let library = Library::new("small")
        .header("small.h")
        .include(directory)
        .source(directory.join("small.c"))
        .target(TARGET)
        .out_dir(directory);
    describe(library).generate()
}

fn words(image: &[u8]) -> Vec<u32> {
    let words = image.chunks_exact(4).take(24);
    words.map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect()
}

#[test]
fn an_image_has_all_of_its_parts_in_its_region() {
    let directory = tempfile::tempdir().unwrap();
    generate(directory.path(), SOURCE, |library| {
        library.region(START, 64 << 10).stack(1 << 10).exchange(2 << 10).heap(4 << 10)
    })
    .unwrap();
    let image = std::fs::read(directory.path().join("omniglot/small.image")).unwrap();
    let words = words(&image);
    assert_eq!(&image[..4], b"OMNI");
    assert_eq!(words[3] as usize, image.len());
    let (ram, end) = (words[5], words[6]);
    assert_eq!((words[4], end), (START, START + (64 << 10)));
    assert!(ram > START && ram.is_multiple_of(64));
    assert_eq!(words[7] + words[9] + 96, words[3], "code, data and header are all");
    assert_eq!(words[10], ram + (1 << 10), "the stack is at the bottom of the RAM");
    assert_eq!(words[11], end - (2 << 10), "the host's part is at its end");
    for address in [13, 14, 15, 17, 19].map(|index| words[index]) {
        assert!((START..ram).contains(&address), "{address:#x} is code");
    }
    let text = image.windows(6).filter(|bytes| bytes == b"small\0").count();
    assert_eq!(text, 1, "constants are in it");
    let rust = std::fs::read_to_string(directory.path().join("omniglot/small.rs")).unwrap();
    assert!(rust.contains("small.image") && !rust.contains("Linux"), "{rust}");
    assert!(!rust.contains("fn absent"), "what the library lacks is left out");
}

#[test]
fn without_a_region_there_are_bindings_only() {
    let directory = tempfile::tempdir().unwrap();
    generate(directory.path(), SOURCE, |library| library).unwrap();
    assert!(directory.path().join("omniglot/small.rs").exists());
    assert!(!directory.path().join("omniglot/small.image").exists());
}

#[test]
fn a_region_that_is_too_small_is_an_error_that_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let error =
        generate(directory.path(), SOURCE, |library| library.region(START, 16 << 10).heap(8 << 10));
    let message = error.unwrap_err().to_string();
    assert!(message.contains("the region is too small"), "{message}");
}

#[test]
fn regions_that_cannot_be_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    for (start, bytes, stack) in [
        (START + 4, 1 << 16, 512),
        (0, 1 << 16, 512),
        (0xffff_f000, 1 << 16, 512),
        (START, 1 << 16, 8),
    ] {
        let error =
            generate(directory.path(), SOURCE, |library| library.region(start, bytes).stack(stack));
        let message = error.unwrap_err().to_string();
        assert!(message.contains(".region(start, bytes) cannot be"), "{message}");
    }
}

#[test]
fn sources_that_do_not_compile_are_shown() {
    let directory = tempfile::tempdir().unwrap();
    let error = generate(directory.path(), "int add(", |library| library.region(START, 1 << 16));
    assert!(error.unwrap_err().to_string().contains("small.c"));
}

/// `raise` of picolibc needs a process; everything else must link all the same.
#[test]
fn what_needs_a_system_links() {
    let directory = tempfile::tempdir().unwrap();
    let source = format!("{SOURCE}#include <signal.h>\nint absent(void) {{ return raise(6); }}\n");
    generate(directory.path(), &source, |library| {
        library.header("signal.h").allowlist_function(".*").region(START, 96 << 10)
    })
    .unwrap();
    let rust = std::fs::read_to_string(directory.path().join("omniglot/small.rs")).unwrap();
    for function in ["fn add", "fn absent", "fn raise"] {
        assert!(rust.contains(function), "{function} is bound");
    }
}

/// The C library that images are linked with: in the first directory that has one, of those that
/// the compiler hands to the linker.
fn c_library() -> PathBuf {
    let arguments =
        ["-march=rv32imac", "-mabi=ilp32", "--specs=picolibc.specs", "-###", "-xc", "/dev/null"];
    let output = Command::new("riscv64-unknown-elf-gcc").args(arguments).output().unwrap();
    let commands = String::from_utf8(output.stderr).unwrap();
    let words = commands.split_whitespace().map(|word| word.trim_matches('"'));
    let directories = words.filter_map(|word| word.strip_prefix("-L"));
    let mut libraries = directories.map(|directory| Path::new(directory).join("libc.a"));
    libraries.find(|library| library.exists()).unwrap()
}

/// The names that symbols of the C library have, undefined ones or others.
fn symbols(which: &str) -> BTreeSet<String> {
    let output =
        Command::new("riscv64-unknown-elf-nm").arg(which).arg(c_library()).output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    listed.lines().filter_map(|line| Some(line.rsplit_once(' ')?.1.to_owned())).collect()
}

/// Whatever the C library asks a system for is defined, or a build would fail for want of it.
#[test]
fn what_the_c_library_asks_for_is_there() {
    let system = include_str!("../src/flat/system.c");
    let stubs = include_str!("../src/flat/stubs.S");
    let defined = symbols("--defined-only");
    // Other names with an underscore are the compiler's, the linker script's, or the start's.
    let missing: Vec<String> = symbols("--undefined-only")
        .into_iter()
        .filter(|name| !name.starts_with('_') || name == "_exit")
        .filter(|name| !defined.contains(name))
        .filter(|name| {
            let label = format!("\n{name}:");
            let is_word = |part: &str| part == name.as_str();
            let words = |character: char| !character.is_ascii_alphanumeric() && character != '_';
            !stubs.contains(&label) && !system.split(words).any(is_word)
        })
        .collect();
    assert_eq!(missing, [""; 0]);
    assert!(defined.contains("raise"), "the C library was found");
}
