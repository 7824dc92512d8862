//! Compiles C code for an image, and for this process.

use std::path::{Path, PathBuf};
use std::process::Command;

use omniglot_sfi::Rewriter;
use omniglot_sfi::layer::Layer;

/// Runs a compiler. Panics with its messages if it fails.
pub fn compile(compiler: &str, arguments: &[&str], output: &Path) {
    let run = Command::new(compiler).args(arguments).arg("-o").arg(output).output();
    let run = run.unwrap_or_else(|error| panic!("{compiler}: {error}"));
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{compiler} {arguments:?}: {said}");
}

/// Returns the directory of the C sources.
#[must_use]
pub fn source(name: &str) -> String {
    format!("{}/c/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Compiles a source, and adds the object.
pub fn add(rewriter: &mut Rewriter, directory: &Path, compiler: &str, flags: &[&str], name: &str) {
    let output = directory.join("object.o");
    compile(compiler, &[flags, &["-c", name]].concat(), &output);
    let bytes = std::fs::read(&output).expect("the compiler wrote it");
    rewriter.object(name, &bytes).unwrap_or_else(|error| panic!("{error}"));
}

/// Adds what every image needs. The archives of a library come before it.
pub fn add_base(rewriter: &mut Rewriter, directory: &Path, compiler: &str, layer: Layer) {
    let compile = || Command::new(compiler);
    // Compilers call libgcc for operations that processors lack, such as 128-bit division.
    let gcc = || Command::new("gcc");
    rewriter.add_layer(layer, directory, &compile).unwrap_or_else(|error| panic!("{error}"));
    rewriter.add_libraries(layer, &gcc).unwrap_or_else(|error| panic!("{error}"));
}

/// Returns input that is neither uniform nor random.
#[must_use]
pub fn input(length: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let next = |at: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let random = (state >> 32) as u8;
        if (at / 97).is_multiple_of(3) { (at % 23) as u8 } else { random % 61 }
    };
    (0..length).map(next).collect()
}

/// Makes a directory for one test.
#[must_use]
pub fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("there is room for files")
}

/// Returns those of several compilers that are installed.
pub fn compilers() -> impl Iterator<Item = &'static str> {
    let is_there = |name: &&str| Command::new(name).arg("--version").output().is_ok();
    ["gcc", "clang", "clang-19", "clang-14"].into_iter().filter(is_there)
}

/// Saves the image of a test for inspection, if `OMNIGLOT_KEEP` names a directory.
pub fn keep(name: &str, image: &[u8]) {
    if let Some(directory) = std::env::var_os("OMNIGLOT_KEEP") {
        let path = PathBuf::from(directory).join(name);
        std::fs::write(path, image).expect("it can be kept");
    }
}
