//! The functions of a program, by its symbols, and the crates that they are counted for.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Lists the symbols of a RISC-V program.
const SYMBOLS: &str = "riscv64-unknown-elf-nm";
/// The crates whose code sizes are added up, with the directories of their sources.
pub(super) const CRATES: [(&str, &str); 3] = [
    ("omniglot_core", "crates/omniglot-core"),
    ("omniglot_pmp", "crates/omniglot-pmp"),
    ("omniglot_kernel_hardware", "kernel/hardware"),
];

/// Sizes in bytes, by crate.
pub(super) type Sizes = BTreeMap<&'static str, u64>;

/// A function in a program, with its address and size.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) start: u64,
    pub(super) size: u64,
    pub(super) name: String,
}

/// All functions of a program.
pub(super) fn functions(program: &Path) -> Result<Vec<Function>> {
    let output = output(Command::new(SYMBOLS).args(["--print-size", "--demangle"]).arg(program))?;
    Ok(output.lines().filter_map(function).collect())
}

/// The output of a command.
pub(super) fn output(command: &mut Command) -> Result<String> {
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
