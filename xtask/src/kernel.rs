//! `cargo xtask kernel`: builds the kernel, and runs it in QEMU with its console on this terminal.

mod files;
mod machine;
mod measure;
mod scenarios;
mod session;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;

use self::machine::{ECHO, HTTP, KERNEL, TESTS, make_disk};
use crate::cargo;
use crate::riscv::{self, Emulator};
use crate::workspace::Workspace;

/// The options of `cargo xtask kernel`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The machine's disk image; created if it does not exist
    #[arg(long, value_name = "FILE")]
    disk: Option<PathBuf>,

    /// The port of this machine for the kernel's HTTP server
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    http: u16,

    /// The port of this machine for the kernel's echo service
    #[arg(long, value_name = "PORT", default_value_t = 7007)]
    echo: u16,

    /// Count the instructions of calls to foreign libraries, and print sizes, instead of running it
    #[arg(long)]
    measure: bool,

    /// Run the kernel's tests instead
    #[arg(long, hide = true)]
    test: bool,
}

/// Runs the kernel with this terminal as its console, or runs its tests.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    if options.test {
        return test(&workspace);
    }
    if options.measure {
        return measure::run(&workspace);
    }
    let program = riscv::build(&workspace, Path::new(KERNEL))?;
    let disk = options.disk.clone().unwrap_or_else(|| workspace.target("kernel").join("disk.img"));
    make_disk(&disk)?;
    for port in [options.http, options.echo] {
        check_free(port)?;
    }
    eprintln!(
        "The kernel's HTTP server is at http://127.0.0.1:{}/, its echo service at port {};\n\
         its disk is {}. `exit`, Ctrl-D or Ctrl-C ends it.\n",
        options.http,
        options.echo,
        disk.display()
    );
    let emulator =
        Emulator::new(&program).disk(&disk).network(&[(options.http, HTTP), (options.echo, ECHO)]);
    let status = emulator.command().status().context("could not start QEMU")?;
    Ok(cargo::exit_code(status))
}

/// Fails if a port is already in use, since QEMU's own message would not say what to do.
fn check_free(port: u16) -> Result<()> {
    match TcpListener::bind(("127.0.0.1", port)) {
        Ok(_) => Ok(()),
        Err(error) => {
            bail!("port {port} cannot be used ({error}): name others with --http, --echo")
        }
    }
}

/// Runs the tests in the machine, then those from outside.
fn test(workspace: &Workspace) -> Result<ExitCode> {
    let inside = riscv::test(workspace, Path::new(TESTS))?;
    let program = riscv::build(workspace, Path::new(KERNEL))?;
    let outside = scenarios::run(workspace, &program)?;
    Ok(if inside && outside { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
