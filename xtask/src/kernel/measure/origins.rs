//! Attributes a program's code to crates by its debug information. A function consists of its own
//! code and of inlined code of other functions.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::symbols::{CRATES, Sizes, functions, output};
use crate::workspace::Workspace;

/// Prints the source lines of an address, inlined functions included.
const LINES: &str = "riscv64-unknown-elf-addr2line";
/// The alignment of instructions (RISC-V unprivileged specification, extension C). An instruction
/// has this many bytes or twice as many.
const STEP: usize = 2;

/// The number of bytes of a program from each crate.
pub(super) fn sizes(workspace: &Workspace, program: &Path) -> Result<Sizes> {
    let mut addresses = String::new();
    for function in functions(program)? {
        for address in (function.start..function.start + function.size).step_by(STEP) {
            writeln!(addresses, "{address:#x}")?;
        }
    }
    let list = workspace.target("kernel").join("addresses");
    fs::create_dir_all(workspace.target("kernel"))
        .and_then(|()| fs::write(&list, addresses))
        .with_context(|| format!("could not write {}", list.display()))?;
    let mut argument = std::ffi::OsString::from("@");
    argument.push(&list);
    let lines = output(
        Command::new(LINES).args(["--inlines", "--addresses", "--exe"]).arg(program).arg(argument),
    )?;
    Ok(sum(&lines, &workspace.root().to_string_lossy()))
}

/// Adds up lines of output: an address, followed by its source locations, innermost first.
fn sum(lines: &str, root: &str) -> Sizes {
    let mut sizes = Sizes::new();
    let mut is_known = true;
    for line in lines.lines() {
        if line.starts_with("0x") {
            is_known = false;
        } else if !is_known && is_ours(line, root) {
            is_known = true;
            let of = CRATES.into_iter().find(|(_, directory)| line.contains(directory));
            if let Some((name, _)) = of {
                *sizes.entry(name).or_default() += STEP as u64;
            }
        }
    }
    sizes
}

/// Returns true if a source location is in this workspace or in generated code. Code of the
/// standard library and other crates counts as its caller's.
fn is_ours(place: &str, root: &str) -> bool {
    place.starts_with(root)
}

#[cfg(test)]
mod tests {
    use super::sum;

    #[test]
    fn code_is_of_the_innermost_of_our_functions() {
        let lines = "0x80000000\n/rustc/core/option.rs:1\n/w/crates/omniglot-core/src/a.rs:2\n\
                     /w/kernel/src/b.rs:3\n0x80000002\n/w/kernel/src/b.rs:3\n\
                     /w/crates/omniglot-core/src/a.rs:2\n0x80000004\n??:0\n0x80000006\n\
                     /w/crates/omniglot-pmp/src/c.rs:9 (discriminator 2)\n";
        let sizes = sum(lines, "/w/");
        assert_eq!(sizes.get("omniglot_core"), Some(&2));
        assert_eq!(sizes.get("omniglot_pmp"), Some(&2));
        assert_eq!(sizes.len(), 2);
    }
}
