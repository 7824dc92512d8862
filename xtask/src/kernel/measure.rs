//! `cargo xtask kernel --measure`: counts the instructions of calls, and prints sizes of code.

mod origins;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use super::{KERNEL, SMALLEST, TESTS};
use crate::riscv::{self, Emulator};
use crate::workspace::Workspace;

/// The package of the measuring program.
const MEASURE: &str = "kernel/measure";
/// Makes QEMU count single instructions. Otherwise the counter varies by a third.
const EXACT: [&str; 2] = ["-icount", "shift=0"];
/// Lists the symbols of a RISC-V program.
const SYMBOLS: &str = "riscv64-unknown-elf-nm";
/// The crates whose code sizes are added up, with the directories of their sources.
const CRATES: [(&str, &str); 3] = [
    ("omniglot_core", "crates/omniglot-core"),
    ("omniglot_pmp", "crates/omniglot-pmp"),
    ("omniglot_kernel_hardware", "kernel/hardware"),
];

/// Measures, and prints the tables.
pub(super) fn run(workspace: &Workspace) -> Result<ExitCode> {
    let program = riscv::build(workspace, Path::new(MEASURE))?;
    let ended = Emulator::new(&program)
        .arguments(EXACT)
        .run(riscv::TIME_LIMIT, |line| println!("{line}"))?;
    let code = ended.report(riscv::TIME_LIMIT)?;
    println!(
        "\nBytes of code: in a crate's own functions, and in all code from the crate, including \
         what was inlined elsewhere.\n"
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

/// Sizes in bytes, by crate.
type Sizes = BTreeMap<&'static str, u64>;

/// The size of each crate's functions in a program, including generic ones that were compiled for a
/// user of the crate.
fn sizes(program: &Path) -> Result<Sizes> {
    let mut sizes = Sizes::new();
    for Function { size, name, .. } in functions(program)? {
        if let Some((of, _)) = CRATES.into_iter().find(|(of, _)| name.contains(of)) {
            *sizes.entry(of).or_default() += size;
        }
    }
    Ok(sizes)
}

/// A function in a program, with its address and size.
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

/// The output of a command.
fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_owned();
    let output = command.output().with_context(|| format!("could not start {name:?}"))?;
    if !output.status.success() {
        bail!("{name:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Parses a line such as `80000000 00000010 t some::function`.
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
