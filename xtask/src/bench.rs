//! `cargo xtask bench`: builds all variants of the benchmarks, and runs them in turns.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::cargo;
use crate::cargo::HOST_TARGET;
use crate::setup::{self, Task};
use crate::workspace::Workspace;

/// The options of the benchmarks, and of their output.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Run only this benchmark (may be repeated, or name several with commas)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,

    /// Measure briefly, to check that everything works; without WebAssembly, whose runtime takes
    /// minutes to build
    #[arg(long)]
    quick: bool,

    /// The number of batches to measure for each variant
    #[arg(long, value_name = "COUNT")]
    runs: Option<usize>,

    /// Also write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write a page with plots and tables to this directory
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,

    /// Rewrite the tables and figures in docs/
    #[arg(long)]
    docs: bool,

    /// Measure nothing, and use the figures in this file, which `--json` wrote
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,

    /// Decode the PNG files in this directory instead of generated pictures
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,

    /// Compress this text instead of a generated one
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,

    /// Leave out variants that need another build: without checks, and alternatives by others
    #[arg(long)]
    alone: bool,
}

/// The flag that compiles out all checks of foreign addresses and values.
const UNCHECKED: &str = "--cfg omniglot_unchecked";

/// The alternatives to Omniglot that users have, each in a workspace of its own: its directory, the
/// program, and the name of the directory that it is built in.
const PEERS: Peer = ("benches/peers", "omniglot-peers", "peers");
const WASM: Peer = ("benches/wasm", "omniglot-wasm", "wasm");

type Peer = (&'static str, &'static str, &'static str);

/// Builds and runs the benchmarks, and returns their exit status. With `install`, also installs what
/// WebAssembly needs.
pub(crate) fn run(options: &Options, install: bool) -> Result<ExitCode> {
    let peers = options.peers();
    if peers.contains(&WASM) && !setup::prepare(Task::Wasm, install)? {
        bail!("the packages named above are not installed; --quick and --alone do without");
    }
    let workspace = Workspace::load()?;
    build(ours(cargo::command()), &workspace)?;
    let target = workspace.target_directory();
    let mut command = Command::new(target.join("release/omniglot-bench"));
    if options.compares() {
        // If the target is named, cargo uses a separate directory for it.
        build(ours(unchecked_cargo()), &workspace)?;
        let unchecked = target.join(HOST_TARGET).join("release/omniglot-bench");
        command.arg("--unchecked").arg(unchecked);
    }
    for (directory, program, target) in peers {
        let target = workspace.target(target);
        build(peer(directory, &target, &workspace), &workspace)?;
        command.arg("--peers").arg(target.join("release").join(program));
    }
    options.pass_on(&mut command, &workspace);
    let status = command.status().context("could not start the benchmarks")?;
    Ok(cargo::exit_code(status))
}

impl Options {
    /// Whether variants that need another build are measured.
    const fn compares(&self) -> bool {
        !self.alone && self.from.is_none()
    }

    /// The alternatives that are measured.
    fn peers(&self) -> Vec<Peer> {
        match (self.compares(), self.quick) {
            (false, _) => Vec::new(),
            (true, true) => vec![PEERS],
            (true, false) => vec![PEERS, WASM],
        }
    }

    /// Passes on the options for the benchmarks.
    fn pass_on(&self, command: &mut Command, workspace: &Workspace) {
        for name in &self.only {
            command.args(["--only", name]);
        }
        if self.quick {
            command.arg("--quick");
        }
        if let Some(runs) = self.runs {
            command.args(["--runs", &runs.to_string()]);
        }
        let docs = |name: &str| self.docs.then(|| workspace.root().join("docs").join(name));
        let json = docs("evaluation.json").filter(|_| self.from.is_none());
        let files = [
            ("--json", self.json.clone().or(json)),
            ("--report", self.report.clone()),
            ("--tables", docs("evaluation.md")),
            ("--plot", docs("evaluation.svg")),
            ("--from", self.from.clone()),
            ("--images", self.images.clone()),
            ("--text", self.text.clone()),
        ];
        for (option, file) in files {
            if let Some(file) = file {
                command.arg(option).arg(file);
            }
        }
    }
}

/// A cargo command that builds without checks, to measure what they cost.
///
/// Naming the target keeps the flag away from build scripts and macros. So these and their
/// dependencies are not compiled again.
fn unchecked_cargo() -> Command {
    let mut command = cargo::command();
    let mut flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    flags.push(' ');
    flags.push_str(UNCHECKED);
    command.env("RUSTFLAGS", flags).env("CARGO_BUILD_TARGET", HOST_TARGET);
    command
}

/// Builds all programs of the benchmarks.
fn ours(mut cargo: Command) -> Command {
    cargo.args(["build", "--locked", "--release", "--package", "omniglot-bench"]);
    cargo
}

/// Builds alternatives.
fn peer(directory: &str, target: &Path, workspace: &Workspace) -> Command {
    let mut cargo = cargo::command();
    let manifest = workspace.root().join(directory).join("Cargo.toml");
    cargo.args(["build", "--locked", "--release", "--manifest-path"]).arg(manifest);
    cargo.arg("--target-dir").arg(target);
    cargo
}

fn build(mut cargo: Command, workspace: &Workspace) -> Result<()> {
    cargo.current_dir(workspace.root());
    let status = cargo.status().context("could not start cargo")?;
    if status.success() { Ok(()) } else { bail!("the benchmarks do not build") }
}
