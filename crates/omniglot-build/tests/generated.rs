//! A crate with generated bindings: it builds under `forbid(unsafe_code)` and strict
//! lints, its documentation has no warning and no doctest, and its calls work.
// Helpers of tests may stop at once, as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Copies the crate to a directory of its own, so that its files stay out of the
/// checkout.
fn copy(to: &Path) {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let from = manifest.join("tests/generated");
    for file in [
        "build.rs",
        "src/lib.rs",
        "src/main.rs",
        "c/everything.h",
        "c/everything.c",
        "c/words.h",
        "c/words.cc",
    ] {
        let target = to.join(file);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(from.join(file), target).unwrap();
    }
    let crates = manifest.parent().unwrap();
    let text = fs::read_to_string(from.join("Cargo.toml")).unwrap();
    let text = text
        .replace("../../../omniglot\"", &format!("{}\"", crates.join("omniglot").display()))
        .replace("\"../..\"", &format!("\"{}\"", manifest.display()));
    fs::write(to.join("Cargo.toml"), text).unwrap();
    let lock = crates.parent().unwrap().join("Cargo.lock");
    if lock.is_file() {
        fs::copy(lock, to.join("Cargo.lock")).unwrap();
    }
}

/// Runs cargo in the copy and gives what it said.
fn cargo(directory: &Path, arguments: &[&str]) -> String {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(arguments)
        .arg("--offline")
        .args(["--config", concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/nested/config.toml")])
        .current_dir(directory)
        .env("RUSTDOCFLAGS", "-D warnings")
        .output()
        .unwrap();
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "cargo {arguments:?}:\n{}", said.concat());
    said.concat()
}

#[test]
fn a_crate_with_bindings_builds_and_works() {
    let directory = tempfile::tempdir().unwrap();
    copy(directory.path());
    let said = cargo(directory.path(), &["run"]);
    assert!(said.contains("all of it works"), "{said}");
    assert_eq!(said.matches("not bound: it is variadic").count(), 1, "{said}");
    assert!(said.contains("): not bound: the library does not define it"), "{said}");
    cargo(directory.path(), &["clippy"]);
    cargo(directory.path(), &["doc", "--no-deps"]);
    let said = cargo(directory.path(), &["test", "--doc"]);
    assert!(said.contains("running 0 tests"), "{said}");
}
