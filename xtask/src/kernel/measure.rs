//! `cargo xtask kernel --measure`: counts the instructions of calls, and prints sizes of code.

mod origins;
mod symbols;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use self::symbols::{CRATES, Function, Sizes, functions};
use super::machine::{KERNEL, SMALLEST, TESTS};
use crate::riscv::{self, Emulator};
use crate::workspace::Workspace;

/// The package of the measuring program.
const MEASURE: &str = "kernel/measure";
/// Makes QEMU count single instructions. Otherwise the counter varies by a third.
const EXACT: [&str; 2] = ["-icount", "shift=0"];
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
