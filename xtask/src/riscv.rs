//! RISC-V: building programs for a 32-bit machine without an operating system, and running them in
//! QEMU.

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

/// What to run, and in which machine.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The package's directory, such as tests/pmp
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,

    /// End it after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = TIME_LIMIT.as_secs())]
    time_limit: u64,

    /// Give the machine this file as its disk
    #[arg(long, value_name = "FILE")]
    disk: Option<PathBuf>,

    /// Give the machine a network card
    #[arg(long)]
    network: bool,

    /// Give the machine Smepmp, and tell the program that it is to turn on lockdown
    #[arg(long)]
    lockdown: bool,

    /// Passed on to QEMU, such as -icount shift=0
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

/// How long a program full of tests may run unless the command line says otherwise.
///
/// It is there to end what hangs, so it is far more than anything needs.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(900);

/// Builds the program of a package, runs it in QEMU, and passes its output and its
/// exit status on.
///
/// The package's program has the package's name. It ends the machine through its test finisher.
pub(crate) fn emulate(options: &Options) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let program = build(&workspace, &options.directory)?;
    // The reader of test results goes by this line: a program that falls silent is then missed.
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

/// Runs the tests of the package in `directory`, with all devices, and passes their output on;
/// whether they passed.
pub(crate) fn test(workspace: &Workspace, directory: &Path) -> Result<bool> {
    let program = build(workspace, directory)?;
    println!("     Running {} (in QEMU)", program.display());
    let ended = Emulator::new(&program).run(TIME_LIMIT, |line| println!("{line}"))?;
    Ok(ended.report(TIME_LIMIT)? == ExitCode::SUCCESS)
}

/// Builds the program of the package in `directory` and says where it is.
pub(crate) fn build(workspace: &Workspace, directory: &Path) -> Result<PathBuf> {
    Toolchain::find()?.build(workspace, directory)
}
