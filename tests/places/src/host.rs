//! The host, built with the compiler's sanitizers.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// A sanitizer of the compiler.
#[derive(Debug)]
pub(crate) struct Sanitizer {
    name: &'static str,
    runtime: &'static str,
    flags: &'static str,
}

pub(crate) const ADDRESS: Sanitizer =
    Sanitizer { name: "address", runtime: "_rt.asan.a", flags: "-Zsanitizer=address" };

/// The standard library is not instrumented. What is inlined from it is.
pub(crate) const THREAD: Sanitizer = Sanitizer {
    name: "thread",
    runtime: "_rt.tsan.a",
    flags: "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer",
};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Why the compiler has no sanitizers, if it has none.
pub(crate) fn lack() -> Option<String> {
    let output =
        Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
    let directory = PathBuf::from(String::from_utf8(output.ok()?.stdout).ok()?.trim());
    let files = directory.read_dir().into_iter().flatten().flatten();
    let names: Vec<String> =
        files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    let has = |sanitizer: &Sanitizer| names.iter().any(|name| name.ends_with(sanitizer.runtime));
    (!has(&ADDRESS) || !has(&THREAD))
        .then(|| "the compiler has no sanitizers (rustup's has)".to_owned())
}

/// Builds the host with that sanitizer, and returns where it is. The stable compiler's unstable
/// options are enabled.
pub(crate) fn sanitized(sanitizer: &Sanitizer) -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    let root = root.context("the workspace is two directories above")?;
    let target = root.join("target/checked").join(sanitizer.name);
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--locked", "--package", "omniglot-places", "--bin", "omniglot-place"])
        .args(["--target", TARGET])
        .current_dir(root)
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", sanitizer.flags)
        .output()
        .context("could not start cargo")?;
    if !output.status.success() {
        let messages = String::from_utf8_lossy(&output.stderr);
        let last: Vec<&str> = messages.trim_end().lines().rev().take(5).collect();
        bail!("building with the {} sanitizer failed: {}", sanitizer.name, last.join(" / "));
    }
    Ok(target.join(TARGET).join("debug/omniglot-place"))
}
