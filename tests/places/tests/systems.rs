//! The crates that users link compile for other systems and processors, where `build()` is an error
//! that says so. `cargo xtask test --only places` has rustup install the targets' standard libraries;
//! a target without one is ignored.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

use std::env;
use std::path::Path;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use omniglot_places::has_standard_library;

/// The targets, which xtask reads, too.
const TARGETS: &str = include_str!("../systems.txt");

fn main() -> ExitCode {
    let trials = TARGETS.lines().map(|target| {
        let is_there = has_standard_library(target);
        let name = match is_there {
            true => target.to_owned(),
            false => format!("{target} (rustup target add {target})"),
        };
        Trial::test(name, move || compiles(target)).with_ignored_flag(!is_there)
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

fn compiles(target: &str) -> Result<(), Failed> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut check = Command::new(cargo);
    check.args(["check", "--locked", "--package", "omniglot", "--features", "in-process"]);
    check.args(["--target", target]).current_dir(&root);
    check.env("CARGO_TARGET_DIR", root.join("target/checked/systems"));
    // A warning is about code that is unused there, or about a condition that is wrong there.
    let output = check.env("RUSTFLAGS", "-D warnings").output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(said.into()) }
}
