//! `cargo xtask kernel --measure`: what calls cost, in instructions, and how large things are.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use super::{KERNEL, TESTS};
use crate::riscv::{self, Emulator};
use crate::workspace::Workspace;

/// The package of the program that measures.
const MEASURE: &str = "kernel/measure";
/// A program that uses one library, and nothing else.
const SMALLEST: &str = "kernel/smallest";
/// Has QEMU count instructions one by one: without it the counter wavers by a third.
const EXACT: [&str; 2] = ["-icount", "shift=0"];
/// Lists the symbols of a program for RISC-V.
const SYMBOLS: &str = "riscv64-unknown-elf-nm";
/// The crates whose code is summed up.
const CRATES: [&str; 3] = ["omniglot_core", "omniglot_pmp", "omniglot_kernel_hardware"];

/// Measures and prints tables.
pub(super) fn run(workspace: &Workspace) -> Result<ExitCode> {
    let program = riscv::build(workspace, Path::new(MEASURE))?;
    let ended = Emulator::new(&program)
        .arguments(EXACT)
        .run(riscv::TIME_LIMIT, |line| println!("{line}"))?;
    let code = ended.report(riscv::TIME_LIMIT)?;
    println!("\n| code in bytes | {} |\n|---|---:|---:|---:|", CRATES.join(" | "));
    for package in [SMALLEST, MEASURE, KERNEL, TESTS] {
        let sizes = sizes(&riscv::build(workspace, Path::new(package))?)?;
        let columns = CRATES.map(|name| sizes.get(name).copied().unwrap_or(0).to_string());
        println!("| {package} | {} |", columns.join(" | "));
    }
    Ok(code)
}

/// How many bytes of code of each crate are in a program, generic functions included that were
/// compiled for a user of it.
fn sizes(program: &Path) -> Result<BTreeMap<&'static str, u64>> {
    let output = Command::new(SYMBOLS)
        .args(["--print-size", "--demangle"])
        .arg(program)
        .output()
        .with_context(|| format!("could not start {SYMBOLS}"))?;
    if !output.status.success() {
        bail!("{SYMBOLS}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let mut sizes = BTreeMap::new();
    for (size, name) in String::from_utf8_lossy(&output.stdout).lines().filter_map(function) {
        if let Some(of) = CRATES.into_iter().find(|of| name.contains(of)) {
            *sizes.entry(of).or_default() += size;
        }
    }
    Ok(sizes)
}

/// Size and name of a line such as `80000000 00000010 t some::function`.
fn function(line: &str) -> Option<(u64, &str)> {
    let mut words = line.splitn(4, ' ');
    let (_, size, kind, name) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let size = u64::from_str_radix(size, 16).ok()?;
    kind.eq_ignore_ascii_case("t").then_some((size, name))
}

#[cfg(test)]
mod tests {
    use super::function;

    #[test]
    fn functions_are_told_from_other_symbols() {
        let line = "80000000 00000010 t <A as omniglot_core::B>::c";
        assert_eq!(function(line), Some((16, "<A as omniglot_core::B>::c")));
        assert_eq!(function("80000000 00000010 d data"), None);
        assert_eq!(function("80000000 T label"), None);
        assert_eq!(function(""), None);
    }
}
