//! Rust's standard library for other targets.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::riscv;

/// Has rustup download the target's standard library, unless it is there.
pub(crate) fn prepare_target(target: &str) -> Result<()> {
    add_targets(&[target]);
    if !has(target) {
        bail!("Rust's standard library for {target} is missing: rustup target add {target}");
    }
    Ok(())
}

/// Has rustup download the standard libraries of these targets that are missing, if it can.
pub(super) fn add_targets(targets: &[&str]) {
    let missing: Vec<&str> = targets.iter().copied().filter(|target| !has(target)).collect();
    if missing.is_empty() {
        return;
    }
    let mut add = Command::new("timeout");
    add.args(["240", "rustup", "target", "add"]).args(missing);
    let _ = add.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
}

fn has(target: &str) -> bool {
    let library = riscv::sysroot().map(|root| root.join("lib/rustlib").join(target).join("lib"));
    let files = library.and_then(|library| fs::read_dir(library).ok());
    files.is_some_and(|mut files| files.next().is_some())
}
