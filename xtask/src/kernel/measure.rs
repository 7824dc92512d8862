//! `cargo xtask kernel --measure`: what calls cost, in instructions, and how large things are.

mod origins;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use super::{KERNEL, SMALLEST, TESTS};
use crate::riscv::{self, Emulator};
use crate::workspace::Workspace;

/// The package of the program that measures.
const MEASURE: &str = "kernel/measure";
/// Has QEMU count instructions one by one: without it the counter wavers by a third.
const EXACT: [&str; 2] = ["-icount", "shift=0"];
/// Lists the symbols of a program for RISC-V.
const SYMBOLS: &str = "riscv64-unknown-elf-nm";
/// The crates whose code is summed up, and where their sources are.
const CRATES: [(&str, &str); 3] = [
    ("omniglot_core", "crates/omniglot-core"),
    ("omniglot_pmp", "crates/omniglot-pmp"),
    ("omniglot_kernel_hardware", "kernel/hardware"),
];

/// Measures and prints tables.
pub(super) fn run(workspace: &Workspace) -> Result<ExitCode> {
    let program = riscv::build(workspace, Path::new(MEASURE))?;
    let ended = Emulator::new(&program)
        .arguments(EXACT)
        .run(riscv::TIME_LIMIT, |line| println!("{line}"))?;
    let code = ended.report(riscv::TIME_LIMIT)?;
    println!(
        "\nBytes of code: of functions of a crate; and of all that comes from it, with what the \
         compiler made part of its users' functions.\n"
    );
    println!("| program | {} |\n|---|---:|---:|---:|", CRATES.map(|(name, _)| name).join(" | "));
    for package in [SMALLEST, MEASURE, KERNEL, TESTS] {
        let program = riscv::build(workspace, Path::new(package))?;
        let (functions, all) = (sizes(&program)?, origins::sizes(workspace, &program)?);
        let columns = CRATES.map(|(name, _)| {
            let [functions, all] = [&functions, &all].map(|of| of.get(name).unwrap_or(&0));
            format!("{functions}; {all}")
        });
        println!("| {package} | {} |", columns.join(" | "));
    }
    Ok(code)
}

/// Sizes by the crates' names.
type Sizes = BTreeMap<&'static str, u64>;

/// How many bytes the functions of each crate have in a program, generic ones included that were
/// compiled for a user of it.
fn sizes(program: &Path) -> Result<Sizes> {
    let mut sizes = Sizes::new();
    for Function { size, name, .. } in functions(program)? {
        if let Some((of, _)) = CRATES.into_iter().find(|(of, _)| name.contains(of)) {
            *sizes.entry(of).or_default() += size;
        }
    }
    Ok(sizes)
}

/// A function in a program.
#[derive(Debug, PartialEq, Eq)]
struct Function {
    start: u64,
    size: u64,
    name: String,
}

/// All functions of a program.
fn functions(program: &Path) -> Result<Vec<Function>> {
    let output = output(Command::new(SYMBOLS).args(["--print-size", "--demangle"]).arg(program))?;
    Ok(output.lines().filter_map(function).collect())
}

/// What a command printed.
fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_owned();
    let output = command.output().with_context(|| format!("could not start {name:?}"))?;
    if !output.status.success() {
        bail!("{name:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The function of a line such as `80000000 00000010 t some::function`.
fn function(line: &str) -> Option<Function> {
    let mut words = line.splitn(4, ' ');
    let (start, size) = (words.next()?, words.next()?);
    let (kind, name) = (words.next()?, words.next()?);
    let number = |digits| u64::from_str_radix(digits, 16).ok();
    let function = Function { start: number(start)?, size: number(size)?, name: name.to_owned() };
    kind.eq_ignore_ascii_case("t").then_some(function)
}

#[cfg(test)]
mod tests {
    use super::{Function, function};

    #[test]
    fn functions_are_told_from_other_symbols() {
        let line = "80000000 00000010 t <A as omniglot_core::B>::c";
        let name = "<A as omniglot_core::B>::c".to_owned();
        assert_eq!(function(line), Some(Function { start: 0x8000_0000, size: 16, name }));
        assert_eq!(function("80000000 00000010 d data"), None);
        assert_eq!(function("80000000 T label"), None);
        assert_eq!(function(""), None);
    }
}
