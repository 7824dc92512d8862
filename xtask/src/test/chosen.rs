//! `cargo xtask chosen`: runs a test program if it belongs to a suite. Cargo starts it, not a user.
//!
//! When all suites run, each of them selects the whole workspace. The features of dependencies
//! depend on the selected packages, so cargo would otherwise compile much of the workspace again
//! for each suite. Programs that do not belong to the suite are skipped here.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::Args;

/// The options of `cargo xtask chosen`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// A package whose test programs run; PACKAGE:NAME stands for its program of that name only
    #[arg(long = "of", value_name = "PACKAGE")]
    chosen: Vec<String>,

    /// A package whose test programs do not run, while those of all others do
    #[arg(long = "but", value_name = "PACKAGE", conflicts_with = "chosen")]
    refused: Vec<String>,

    /// The words of the xtask command that runs the program [default: it is started directly]
    #[arg(long = "by", value_name = "WORD", allow_hyphen_values = true)]
    by: Vec<String>,

    /// The program
    program: OsString,

    /// Its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// The output for a skipped program, as readers of test results expect it.
const PASSED_OVER: &str = "test result: ok. 0 passed; 0 failed; 0 ignored; not of this suite";

/// Runs the program if it is chosen.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let package = env::var("CARGO_PKG_NAME").context("cargo has to start this")?;
    if !options.is_chosen(&package) {
        println!("{PASSED_OVER}");
        return Ok(ExitCode::SUCCESS);
    }
    let mut command = if options.by.is_empty() {
        Command::new(&options.program)
    } else {
        let this = env::current_exe().context("could not tell where xtask is")?;
        let mut xtask = Command::new(this);
        xtask.args(&options.by).arg("--").arg(&options.program);
        xtask
    };
    // exec returns only on failure.
    let error = command.args(&options.arguments).exec();
    Err(error).with_context(|| format!("could not start {}", command.get_program().display()))
}

impl Options {
    /// Returns true if the program, which belongs to `package`, is chosen.
    fn is_chosen(&self, package: &str) -> bool {
        if self.chosen.is_empty() {
            return !self.refused.iter().any(|refused| refused == package);
        }
        self.chosen.iter().any(|chosen| match chosen.split_once(':') {
            None => chosen == package,
            Some((of, name)) => of == package && name == self.name(),
        })
    }

    /// The name of the program's target, to which cargo appends a hyphen and a hash.
    fn name(&self) -> &str {
        let file = Path::new(&self.program).file_name().and_then(|name| name.to_str());
        file.and_then(|file| file.rsplit_once('-')).map_or("", |(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::Options;

    fn options(chosen: &[&str], refused: &[&str]) -> Options {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Options {
            chosen: owned(chosen),
            refused: owned(refused),
            by: Vec::new(),
            program: "target/debug/deps/in_process-0123abcd".into(),
            arguments: Vec::new(),
        }
    }

    #[test]
    fn packages_are_chosen_by_name() {
        let options = options(&["one", "two"], &[]);
        assert!(options.is_chosen("one") && options.is_chosen("two"));
        assert!(!options.is_chosen("three"));
    }

    #[test]
    fn programs_are_chosen_by_package_and_name() {
        assert!(options(&["one:in_process"], &[]).is_chosen("one"));
        assert!(!options(&["one:in_process"], &[]).is_chosen("two"));
        assert!(!options(&["one:process"], &[]).is_chosen("one"));
    }

    #[test]
    fn all_but_some_can_be_chosen() {
        assert!(options(&[], &["one"]).is_chosen("two"));
        assert!(!options(&[], &["one"]).is_chosen("one"));
    }
}
