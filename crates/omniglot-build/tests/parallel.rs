//! Libraries that are generated at the same time do not mix.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs::{self, File};
use std::path::Path;
use std::thread;
use std::time::Instant;

use omniglot_build::Library;

const HEADER: &str = "enum { WHICH_NUMBER = WHICH };\nconst char *which(void);\n";
const SOURCE: &str = "#include \"lib.h\"\n#define TEXT_OF(number) #number\n\
    #define TEXT(number) TEXT_OF(number)\n\
    const char *which(void) { return \"this is number \" TEXT(WHICH) \".\"; }\n";

/// Generates a library that holds a number, in its Rust and in its C.
fn generate(directory: &Path, name: &str, number: u32) {
    Library::new(name)
        .header("lib.h")
        .include(directory)
        .source(directory.join("lib.c"))
        .define("WHICH", number.to_string())
        .out_dir(directory)
        .generate()
        .unwrap();
}

fn write_sources(directory: &Path) {
    fs::write(directory.join("lib.h"), HEADER).unwrap();
    fs::write(directory.join("lib.c"), SOURCE).unwrap();
}

/// Whether the image's own code has that number.
fn holds(directory: &Path, name: &str, number: u32) -> bool {
    let image = fs::read(directory.join(format!("omniglot/{name}.so"))).unwrap();
    let text = format!("this is number {number}.\0");
    image.windows(text.len()).any(|bytes| bytes == text.as_bytes())
}

#[test]
fn libraries_of_several_threads_hold_their_own_code() {
    let directory = tempfile::tempdir().unwrap();
    write_sources(directory.path());
    thread::scope(|scope| {
        for number in 0..8 {
            let directory = directory.path();
            scope.spawn(move || generate(directory, &format!("lib{number}"), number));
        }
    });
    let wrong: Vec<u32> = (0..8)
        .filter(|number| !holds(directory.path(), &format!("lib{number}"), *number))
        .collect();
    assert_eq!(wrong, [0; 0]);
}

/// The files of one library fit each other, whoever else generates one of its name: they wait.
#[test]
fn who_generates_the_same_library_waits() {
    let directory = tempfile::tempdir().unwrap();
    write_sources(directory.path());
    let start = Instant::now();
    generate(directory.path(), "lib", 1);
    let usual = start.elapsed();
    let lock = File::open(directory.path().join("omniglot/lib.build/lock")).unwrap();
    lock.lock().unwrap();
    thread::scope(|scope| {
        let other = scope.spawn(|| generate(directory.path(), "lib", 2));
        // As another process has it that is about to write its files.
        thread::sleep(3 * usual);
        assert!(!other.is_finished() && holds(directory.path(), "lib", 1));
        lock.unlock().unwrap();
    });
    assert!(holds(directory.path(), "lib", 2));
    let rust = fs::read_to_string(directory.path().join("omniglot/lib.rs")).unwrap();
    assert!(rust.contains("WHICH_NUMBER: ::core::ffi::c_int = 2"), "{rust}");
}
