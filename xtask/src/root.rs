//! `cargo xtask root`: runs a program in the root directory of another release of Debian.
//!
//! The program sees that release's C library, compiler and other files. It also sees this workspace
//! with its build outputs, and the Rust toolchain with all downloaded crates, at the same paths as
//! here. So a program that was built here runs there unchanged. cargo, which has no network access
//! there, can build there, too.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};

use crate::setup::{RELEASES, Release, Root, SEARCH_PATH, Task};
use crate::workspace::Workspace;
use crate::{cargo, riscv};

/// The exit status if there is no root directory, or it cannot be entered.
const ROOT_FAILED: u8 = 125;

/// The options of `cargo xtask root`.
#[derive(Args, Debug)]
#[command(override_usage = "cargo xtask root [OPTIONS] RELEASE -- PROGRAM [ARGS]...")]
pub(crate) struct Options {
    /// The release
    #[arg(value_name = "RELEASE", value_parser = codenames())]
    release: String,

    /// Install a C compiler and libclang there, and let cargo build for that release
    #[arg(long)]
    build: bool,

    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    command: Vec<OsString>,
}

fn codenames() -> PossibleValuesParser {
    let values = RELEASES.iter();
    PossibleValuesParser::new(
        values.map(|release| PossibleValue::new(release.codename).help(release.name)),
    )
}

/// Runs the program, and passes on its output and exit status.
pub(crate) fn run(options: &Options, asked: bool) -> ExitCode {
    let status = command(options, asked)
        .and_then(|mut command| command.status().context("could not start unshare"));
    match status {
        Ok(status) => cargo::exit_code(status),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(ROOT_FAILED)
        }
    }
}

fn command(options: &Options, asked: bool) -> Result<Command> {
    let workspace = Workspace::load()?;
    let release = RELEASES.iter().find(|release| release.codename == options.release);
    let release = release.context("there is no such release")?;
    let task = if options.build { Task::Rebuilt } else { Task::Prebuilt };
    let root = Root::of(release, task, &workspace, asked)?;
    let mut command = inside(&root, &workspace)?;
    if options.build {
        command.arg(assignment("CARGO_TARGET_DIR", &release.target(&workspace)));
    }
    command.args(&options.command);
    Ok(command)
}

/// A command in `root` that lacks only the program. Variables can be added before it.
fn inside(root: &Root, workspace: &Workspace) -> Result<Command> {
    let here = env::current_dir().context("could not determine the current directory")?;
    let toolchain = riscv::sysroot().context("CARGO is not set: start xtask through cargo")?;
    let crates = cargo_home().context("neither CARGO_HOME nor HOME is set")?;
    let shared = [workspace.root(), workspace.target_directory(), &toolchain, &crates];
    let mut command = root.command(&shared, &here);
    let programs = toolchain.join("bin");
    command.arg(format!("PATH={}:{SEARCH_PATH}", programs.display()));
    command.arg(assignment("CARGO_HOME", &crates)).arg("CARGO_NET_OFFLINE=true");
    Ok(command)
}

/// The directory in which cargo keeps downloaded crates.
fn cargo_home() -> Option<PathBuf> {
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
    env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home)
}

fn assignment(name: &str, value: &Path) -> OsString {
    let mut text = OsString::from(format!("{name}="));
    text.push(value);
    text
}

/// The version of the C library in the root of a release, such as `2.41`.
pub(crate) fn libc_version(
    release: &Release,
    workspace: &Workspace,
    asked: bool,
) -> Result<String> {
    let root = Root::of(release, Task::Prebuilt, workspace, asked)?;
    let mut command = inside(&root, workspace)?;
    version(command.args(GETCONF))
}

/// The version of this machine's C library.
pub(crate) fn libc_version_here() -> Result<String> {
    version(Command::new(GETCONF[0]).args(&GETCONF[1..]))
}

const GETCONF: [&str; 2] = ["getconf", "GNU_LIBC_VERSION"];

fn version(command: &mut Command) -> Result<String> {
    let output = command.output().context("could not ask for the C library's version")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.trim().strip_prefix("glibc ").with_context(|| {
        let said = String::from_utf8_lossy(&output.stderr);
        format!("getconf names no version of glibc: {text}{said}")
    })?;
    Ok(version.to_owned())
}
