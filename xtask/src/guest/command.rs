//! `cargo xtask guest`: the command line.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::arch::{Accelerator, Arch};
use super::machine::Guest;
use super::relay::Stream;
use crate::setup::{self, Task};
use crate::workspace::Workspace;

/// The exit status if the machine failed, not the program in it.
const MACHINE_FAILED: u8 = 125;

/// Help text about guests, shown below the options.
const HELP: &str = "\
The program gets the libraries that it needs, busybox, /proc, /sys, /dev and /tmp, but no other
files of this machine unless they are named. It runs as root, in an empty directory with the path of
the current one. Without --stdin it has no input. It gets none of this machine's environment, and
can detect the guest by the variable OMNIGLOT_GUEST.

Its output and exit status are passed on. If a signal ended it, the status is 128 plus the signal's
number.
The exit status is 125 if the machine failed.";

/// The options of `cargo xtask guest`.
#[derive(Args, Debug)]
#[command(after_help = HELP, override_usage = "cargo xtask guest [OPTIONS] -- PROGRAM [ARGS]...")]
pub(crate) struct Arguments {
    /// The machine's architecture
    #[arg(long, value_enum, default_value_t)]
    arch: Arch,

    /// Start this kernel [default: Debian's 6.12 for clouds]
    #[arg(long, value_name = "FILE")]
    kernel: Option<PathBuf>,

    /// The number of processors
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    cpus: u32,

    /// The size of memory
    #[arg(long, value_name = "MIB", default_value_t = 2048, value_parser = clap::value_parser!(u32).range(128..))]
    memory: u32,

    /// What executes the guest's instructions
    #[arg(long, value_enum, default_value_t)]
    accel: Accelerator,

    /// Stop the guest after this time
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,

    /// Take libraries and other system files from this root directory
    #[arg(long, value_name = "DIR", default_value = "/", conflicts_with = "arch")]
    root: PathBuf,

    /// An additional file or directory, or a shared library's name (may be repeated)
    #[arg(long, value_name = "PATH")]
    file: Vec<PathBuf>,

    /// An environment variable; a name without a value takes this machine's value (may be repeated)
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<OsString>,

    /// Read all of standard input and pass it to the program
    #[arg(long)]
    stdin: bool,

    /// Only check that guests can run here, and install what they need
    #[arg(long, conflicts_with = "command")]
    check: bool,

    /// The program and its arguments
    #[arg(last = true, required_unless_present = "check", value_name = "PROGRAM")]
    command: Vec<OsString>,
}

impl Arguments {
    /// What has to be installed.
    pub(crate) fn task(&self) -> Task {
        if self.arch.is_this() { Task::Guest } else { Task::Arm64 }
    }

    /// Runs the program, and passes on its output and exit status.
    pub(crate) fn run(self) -> ExitCode {
        match self.run_guest() {
            Ok(code) => ExitCode::from(code),
            Err(error) => {
                eprintln!("error: {error:#}");
                ExitCode::from(MACHINE_FAILED)
            }
        }
    }

    fn run_guest(self) -> Result<u8> {
        let workspace = Workspace::load()?;
        if self.check {
            return setup::kernel(&workspace, self.arch).map(|_| 0);
        }
        self.guest(&workspace)?.run(&workspace, pass_on)
    }

    fn guest(self, workspace: &Workspace) -> Result<Guest> {
        let mut input = Vec::new();
        if self.stdin {
            io::stdin().read_to_end(&mut input).context("could not read the standard input")?;
        }
        let variables = self.env.iter().map(|text| variable(text)).collect::<Result<_>>()?;
        let mut command = self.command.into_iter();
        let program = command.next().context("there is no program to run")?;
        Ok(Guest {
            kernel: self.kernel,
            cpus: self.cpus,
            memory: self.memory,
            accelerator: self.accel,
            timeout: Duration::from_secs(self.timeout),
            root: match self.arch {
                Arch::X86_64 => {
                    self.root.canonicalize().context("--root: there is no such directory")?
                }
                Arch::Aarch64 | Arch::Aarch64Pages16k => setup::arm64_root(workspace)?,
            },
            arch: self.arch,
            files: self.file,
            variables,
            input,
            program,
            arguments: command.collect(),
        })
    }
}

/// The name and value in `NAME=VALUE`, or the value of `NAME` on this machine.
fn variable(text: &OsStr) -> Result<(OsString, OsString)> {
    let bytes = text.as_bytes();
    let (name, value) = match bytes.iter().position(|&byte| byte == b'=') {
        Some(0) => bail!("--env {}: there is no name before the `=`", text.display()),
        Some(place) => {
            (OsStr::from_bytes(&bytes[..place]), OsStr::from_bytes(&bytes[place + 1..]).to_owned())
        }
        None => match env::var_os(text) {
            Some(value) => (text, value),
            None => bail!("--env {0}: there is no variable {0} here", text.display()),
        },
    };
    Ok((name.to_owned(), value))
}

fn pass_on(stream: Stream, bytes: &[u8]) -> Result<()> {
    let written = match stream {
        Stream::Out => {
            let mut out = io::stdout().lock();
            out.write_all(bytes).and_then(|()| out.flush())
        }
        Stream::Err => io::stderr().write_all(bytes),
    };
    written.context("could not pass the program's output on")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::variable;

    #[test]
    fn variables_are_given_or_inherited() {
        let given = variable(OsStr::new("A=b=c")).unwrap();
        assert_eq!(given, ("A".into(), "b=c".into()));
        let inherited = variable(OsStr::new("PATH")).unwrap();
        assert_eq!(Some(inherited.1), std::env::var_os("PATH"));
        for wrong in ["=b", "OMNIGLOT_NO_SUCH_VARIABLE"] {
            assert!(variable(OsStr::new(wrong)).is_err(), "{wrong}");
        }
    }
}
