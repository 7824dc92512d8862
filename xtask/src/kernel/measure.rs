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
/// Compiles Omniglot without its checks.
const UNCHECKED: &str = "--cfg omniglot_unchecked";
/// The place of the column for Omniglot in a line of the program's tables.
const OMNIGLOT: usize = 4;

/// Measures, and prints the tables.
pub(super) fn run(workspace: &Workspace) -> Result<ExitCode> {
    let (mut checked, mut unchecked) = (Rows::default(), Rows::default());
    let code = count(&riscv::build(workspace, Path::new(MEASURE))?, |line| {
        println!("{line}");
        checked.read(line);
    })?;
    if code != ExitCode::SUCCESS {
        return Ok(code);
    }
    println!("\nOmniglot, and the same compiled without its checks, which is unsound:\n");
    let program = riscv::build_with(workspace, Path::new(MEASURE), UNCHECKED)?;
    let code = count(&program, |line| unchecked.read(line))?;
    println!("| workload | Omniglot | unchecked | Omniglot over unchecked |\n|---|---:|---:|---:|");
    for ((name, checked), (_, unchecked)) in checked.rows.iter().zip(&unchecked.rows) {
        let over = 100.0 * (checked / unchecked - 1.0);
        println!("| {name} | {checked} | {unchecked} | {over:+.2} % |");
    }
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

/// Runs the measuring program, and passes on its lines.
fn count(program: &Path, each_line: impl FnMut(&str)) -> Result<ExitCode> {
    let emulator = Emulator::new(program).arguments(EXACT);
    emulator.run(riscv::TIME_LIMIT, each_line)?.report(riscv::TIME_LIMIT)
}

/// The workloads of the program's tables, and their counts in the column for Omniglot.
#[derive(Debug, Default)]
struct Rows {
    rows: Vec<(String, f64)>,
    /// Whether the table that is read has that column.
    has_counts: bool,
}

impl Rows {
    /// Reads one more line of the output.
    fn read(&mut self, line: &str) {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let (Some(name), Some(cell)) = (cells.get(1), cells.get(OMNIGLOT)) else {
            self.has_counts = false;
            return;
        };
        self.has_counts |= *cell == "Omniglot";
        if let (true, Ok(count)) = (self.has_counts, cell.parse()) {
            self.rows.push(((*name).to_owned(), count));
        }
    }
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

#[cfg(test)]
mod tests {
    use super::Rows;

    #[test]
    fn counts_are_read_from_tables_that_have_them() {
        let mut rows = Rows::default();
        let output = "| workload | native | isolation | Omniglot | over |\n|---|---:|---:|---:|---:|\n\
                      | empty call | 7 | 193 | 246 | +27.46 % |\n\n\
                      | library | shims | code | variables |\n| zlib | 11 | 20720 | 4 |\n";
        output.lines().for_each(|line| rows.read(line));
        assert_eq!(rows.rows, [("empty call".to_owned(), 246.0)]);
    }
}
