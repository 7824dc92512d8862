//! `cargo xtask libraries`: runs the corpus of real libraries, as tests or for its table.

use std::fs;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::cargo;
use crate::workspace::Workspace;

/// Which libraries, and what for.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Run only this library (may be repeated, or name several with commas), and write no file
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,

    /// Run them as tests
    #[arg(long)]
    test: bool,
}

/// The corpus, in a workspace of its own.
const CORPUS: &str = "tests/real/Cargo.toml";

/// Where the table belongs.
const TABLE: &str = "docs/libraries.md";

/// Runs the corpus, and passes the exit status on.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let mut corpus = corpus(&workspace);
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

/// The command that builds the corpus where all else is built, so that what both depend on is
/// compiled once, and runs it.
fn corpus(workspace: &Workspace) -> Command {
    let mut cargo = cargo::command();
    cargo.args(["run", "--locked", "--manifest-path"]).arg(workspace.root().join(CORPUS));
    cargo.arg("--target-dir").arg(workspace.target_directory()).arg("--");
    cargo.current_dir(workspace.root());
    cargo
}
