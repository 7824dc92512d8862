//! Builds and runs a crate that ships generated Rust and C code where there is no libclang.
// Helper functions of tests may panic, as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The tools that build a crate with shipped bindings.
const TOOLS: [&str; 8] = ["ar", "as", "cargo", "cc", "ld", "pkg-config", "rustc", "rustup"];

/// Generates the bindings as the crate's author does.
fn generate(directory: &Path) {
    let output = Command::new(env!("CARGO_BIN_EXE_omniglot"))
        .args(["bindings", "zlib.h", "--pkg-config", "zlib", "--out-dir", "generated"])
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Checks that generating fails without libclang, so that it is hidden from the crate, too.
fn check_that_libclang_is_hidden(directory: &Path, tools: &Path) {
    let output = Command::new(env!("CARGO_BIN_EXE_omniglot"))
        .args(["bindings", "zlib.h"])
        .env("PATH", tools)
        .env("LIBCLANG_PATH", empty(directory))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.starts_with("error: omniglot needs libclang"), "{errors}");
}

/// An empty directory, in place of libclang's.
fn empty(directory: &Path) -> PathBuf {
    let empty = directory.join("empty");
    fs::create_dir_all(&empty).unwrap();
    empty
}

/// Copies the crate, and replaces the published crates by this checkout.
fn copy(to: &Path) {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let (from, crates) = (manifest.join("tests/shipped"), manifest.parent().unwrap());
    fs::create_dir(to.join("src")).unwrap();
    for file in ["build.rs", "src/main.rs"] {
        fs::copy(from.join(file), to.join(file)).unwrap();
    }
    let text = fs::read_to_string(from.join("Cargo.toml")).unwrap();
    let text = text.replace("../../../", &format!("{}/", crates.display()));
    fs::write(to.join("Cargo.toml"), text).unwrap();
    fs::copy(crates.parent().unwrap().join("Cargo.lock"), to.join("Cargo.lock")).unwrap();
}

/// A directory with only the tools, and in particular without clang and llvm-config.
fn tools(directory: &Path) -> PathBuf {
    let tools = directory.join("tools");
    fs::create_dir(&tools).unwrap();
    let path = env::var_os("PATH").unwrap();
    for tool in TOOLS {
        let found =
            env::split_paths(&path).map(|place| place.join(tool)).find(|file| file.is_file());
        if let Some(found) = found {
            symlink(found, tools.join(tool)).unwrap();
        }
    }
    tools
}

/// Runs cargo in the crate without libclang, and returns its output.
fn cargo(directory: &Path, tools: &Path, arguments: &[&str]) -> String {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let output = Command::new(cargo)
        .args(arguments)
        .arg("--offline")
        .args(["--config", concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/nested/config.toml")])
        .current_dir(directory)
        .env("PATH", tools)
        .env("LIBCLANG_PATH", empty(directory))
        .env_remove("CLANG_PATH")
        .env_remove("LLVM_CONFIG_PATH")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {arguments:?}:\n{errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_crate_that_ships_its_bindings_needs_no_libclang() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    copy(directory);
    generate(directory);
    let tools = tools(directory);
    check_that_libclang_is_hidden(directory, &tools);
    let tree = cargo(directory, &tools, &["tree", "--edges", "all"]);
    assert!(tree.contains("omniglot-build"), "{tree}");
    for package in ["clang-sys", "libloading", "prettyplease", "regex-lite"] {
        assert!(!tree.contains(package), "{package} is in {tree}");
    }
    // The CRC-32 of "hello", as zlib computes it.
    assert_eq!(cargo(directory, &tools, &["run"]), "3610a686\n");
}
