//! What several tests need.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

/// Returns a small shared library, built by the C compiler.
pub(crate) fn small_library(directory: &Path) -> Vec<u8> {
    let source = directory.join("small.c");
    let library = directory.join("small.so");
    let code = "extern int puts(const char *);\n\
                static __thread int own = 3;\n\
                int twice(int value) { return 2 * value + own++; }\n\
                int say(void) { asm(\".byte 0x0f, 0x01, 0xef\"); return puts(\"hello\"); }\n";
    std::fs::write(&source, code).unwrap();
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &source])
        .status()
        .unwrap();
    assert!(made.success(), "the C compiler made no library");
    std::fs::read(&library).unwrap()
}
