//! `cargo xtask libraries`: runs the corpus of real libraries, as tests or for its table.

use std::fs;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::cargo;
use crate::workspace::Workspace;

/// The options of `cargo xtask libraries`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Run only this library, and write no file (may be repeated, or name several with commas)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,

    /// Run the libraries as tests
    #[arg(long)]
    test: bool,
}

/// The manifest of the corpus, which is a workspace of its own.
const CORPUS: &str = "tests/real/Cargo.toml";

/// The file with the table.
const TABLE: &str = "docs/libraries.md";

/// Runs the corpus, and returns its exit status.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let mut corpus = corpus(!options.test, &workspace);
    if options.test || !options.only.is_empty() {
        corpus.arg(if options.test { "test" } else { "table" }).args(&options.only);
        let status = corpus.status().context("could not start cargo")?;
        return Ok(cargo::exit_code(status));
    }
    let output = corpus.arg("table").stderr(Stdio::inherit()).output();
    let output = output.context("could not start cargo")?;
    if !output.stdout.is_empty() {
        let table = workspace.root().join(TABLE);
        fs::write(&table, &output.stdout).context("could not write docs/libraries.md")?;
        println!("{}", table.display());
    }
    Ok(cargo::exit_code(output.status))
}

/// The command that builds and runs the corpus. It uses the common target directory, so that shared
/// dependencies are compiled once. What is `measured` is optimised, as what users ship.
fn corpus(measured: bool, workspace: &Workspace) -> Command {
    let mut cargo = cargo::command();
    cargo.args(["run", "--locked", "--manifest-path"]).arg(workspace.root().join(CORPUS));
    if measured {
        cargo.arg("--release");
    }
    cargo.arg("--target-dir").arg(workspace.target_directory()).arg("--");
    cargo.current_dir(workspace.root());
    cargo
}
