//! Builds programs for a 32-bit RISC-V machine without an operating system, and runs them in QEMU.

mod emulator;
mod toolchain;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

pub(crate) use self::emulator::Emulator;
use self::toolchain::Toolchain;
pub(crate) use self::toolchain::{TARGET, add_target, has_target, sysroot};
use crate::workspace::Workspace;

/// The options of `cargo xtask emulate`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The package's directory, such as tests/pmp
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,

    /// Stop the machine after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = TIME_LIMIT.as_secs())]
    time_limit: u64,

    /// Use this file as the machine's disk
    #[arg(long, value_name = "FILE")]
    disk: Option<PathBuf>,

    /// Add a network card
    #[arg(long)]
    network: bool,

    /// Add Smepmp, and tell the program to turn on lockdown
    #[arg(long)]
    lockdown: bool,

    /// Further arguments for QEMU, such as -icount shift=0
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

/// The default time limit of a test program.
///
/// It only ends what hangs, so it is far longer than any program needs.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(900);

/// Builds a package's program, runs it in QEMU, and passes on its output and exit status.
///
/// The program has the package's name. It ends the machine through the test finisher.
pub(crate) fn emulate(options: &Options) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let program = build(&workspace, &options.directory)?;
    // The reader of test results relies on this line to notice a program that prints no result.
    println!("     Running {} (in QEMU)", program.display());
    let mut emulator = Emulator::new(&program).arguments(&options.arguments);
    if let Some(image) = &options.disk {
        emulator = emulator.disk(image);
    }
    if options.network {
        emulator = emulator.network(&[]);
    }
    if options.lockdown {
        emulator = emulator.lockdown()?;
    }
    let limit = Duration::from_secs(options.time_limit);
    let ended = emulator.run(limit, |line| println!("{line}"))?;
    ended.report(limit)
}

/// Runs the tests of the package in `directory` with all devices, and passes on their output.
/// Returns true if they passed.
pub(crate) fn test(workspace: &Workspace, directory: &Path) -> Result<bool> {
    let program = build(workspace, directory)?;
    println!("     Running {} (in QEMU)", program.display());
    let ended = Emulator::new(&program).run(TIME_LIMIT, |line| println!("{line}"))?;
    Ok(ended.report(TIME_LIMIT)? == ExitCode::SUCCESS)
}

/// Builds the program of the package in `directory`, and returns its path.
pub(crate) fn build(workspace: &Workspace, directory: &Path) -> Result<PathBuf> {
    Toolchain::find()?.build(workspace, directory, "")
}

/// As [`build`], with flags for the compiler. The program has the same path.
pub(crate) fn build_with(workspace: &Workspace, directory: &Path, flags: &str) -> Result<PathBuf> {
    Toolchain::find()?.build(workspace, directory, flags)
}
