//! `cargo xtask places`: runs a small host, and `omniglot doctor`, where programs are deployed.

use std::fs;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::workspace::Workspace;
use crate::{cargo, setup, watch};

/// The options of `cargo xtask places`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Run only places with this text in their names, and write no file (may be repeated, or name
    /// several with commas)
    #[arg(long, value_name = "TEXT", value_delimiter = ',')]
    only: Vec<String>,
}

/// The package of the places, and that of the command `omniglot`.
const PACKAGES: [&str; 2] = ["omniglot-places", "omniglot-cli"];

/// The variable that makes tests of all places, and not only of those that need nothing special.
const ALL: &str = "OMNIGLOT_PLACES";

/// The file with the table.
const TABLE: &str = "docs/where-it-runs.md";

/// The command that builds what runs in the places.
fn build_command(workspace: &Workspace) -> Command {
    let mut build = cargo::command();
    build.args(["build", "--locked"]).args(PACKAGES.iter().flat_map(|name| ["--package", name]));
    build.env("CARGO_TERM_COLOR", "never").env("CARGO_TERM_QUIET", "false");
    build.current_dir(workspace.root());
    build
}

/// The commands that run each place as a test, and see that the crates compile for other systems. One
/// place after another: they share a root directory, and one of them empties part of it.
pub(crate) fn tests(workspace: &Workspace) -> Vec<Command> {
    let mut test = cargo::command();
    test.args(["test", "--locked"]).args(PACKAGES.iter().flat_map(|name| ["--package", name]));
    test.args(["--test", "ordinary", "--test", "systems", "--", "--test-threads=1"]);
    test.env("CARGO_TERM_COLOR", "never").env("CARGO_TERM_QUIET", "false").env(ALL, "1");
    test.current_dir(workspace.root());
    vec![build_command(workspace), test]
}

/// Runs the places. The exit status is 1 if one of them is not as expected.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    // Without it, the table says so.
    if let Err(error) = setup::prepare_target(setup::MUSL_TARGET) {
        eprintln!("{error:#}");
    }
    let mut build = build_command(&workspace);
    watch::step("Building the places' host", &mut build, &workspace.log("places-build"))?;
    let mut places = Command::new(workspace.target("debug").join(PACKAGES[0]));
    places.arg("table").args(&options.only).stderr(Stdio::inherit());
    let output = places.output().context("could not start the places' program")?;
    let table = String::from_utf8(output.stdout).context("the table is not UTF-8")?;
    if options.only.is_empty() && !table.is_empty() {
        let file = workspace.root().join(TABLE);
        fs::write(&file, table).context("could not write docs/where-it-runs.md")?;
        println!("{}", file.display());
    } else {
        print!("{table}");
    }
    Ok(cargo::exit_code(output.status))
}
