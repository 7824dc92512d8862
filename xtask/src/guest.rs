//! A virtual machine with protection keys that runs one program of this machine.
//!
//! Few machines that Omniglot is developed and tested on have protection keys. What needs them runs
//! in QEMU, whose emulated processor has them. A [`Guest`] consists of a kernel from Debian and an
//! archive with the program, its libraries, busybox, and the files that the user names. The guest
//! cannot change anything on this machine, and needs no disk, network or privileges. Programs in it
//! find [`MARK`] in their environment.

mod archive;
pub(crate) mod command;
mod failure;
mod files;
mod init;
mod libraries;
mod program;
mod qemu;
mod relay;
mod tree;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

pub(crate) use self::command::Arguments;
use self::qemu::Run;
pub(crate) use self::relay::Stream;
use crate::setup::{self, Task};
use crate::workspace::Workspace;

/// The environment variable by which a program can detect that it runs in a guest.
const MARK: &str = "OMNIGLOT_GUEST";

/// What executes the guest's instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Accelerator {
    /// QEMU's emulation, which has protection keys on every machine
    #[default]
    Tcg,
    /// The same, with interrupts between any two instructions instead of only at the end of a
    /// block; several times slower
    TcgSteps,
    /// This machine's processor, which may lack protection keys
    Kvm,
}

/// A program, and the machine that it runs in.
#[derive(Debug)]
pub(crate) struct Guest {
    /// The kernel's image. `None` stands for Debian's.
    pub(crate) kernel: Option<PathBuf>,
    /// The number of processors.
    pub(crate) cpus: u32,
    /// The size of memory in MiB.
    pub(crate) memory: u32,
    pub(crate) accelerator: Accelerator,
    /// The time limit for the whole run.
    pub(crate) timeout: Duration,
    /// The root directory of the system that provides the libraries: `/` for this machine's.
    pub(crate) root: PathBuf,
    /// Additional files and directories, or names of shared libraries.
    pub(crate) files: Vec<PathBuf>,
    /// The program's environment, in addition to that of every guest.
    pub(crate) variables: Vec<(OsString, OsString)>,
    /// The program's standard input.
    pub(crate) input: Vec<u8>,
    /// The program: a path, or a name to search for as a shell does.
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
}

impl Guest {
    /// Runs the program and passes on its output. Returns its exit status, as a shell does.
    ///
    /// An error means that the machine failed, not the program.
    pub(crate) fn run(
        &self,
        workspace: &Workspace,
        print: impl FnMut(Stream, &[u8]) -> Result<()>,
    ) -> Result<u8> {
        let kernel = match &self.kernel {
            Some(kernel) => kernel.clone(),
            None => setup::kernel(workspace)?,
        };
        Run::prepare(self, workspace, &kernel)?.run(print)
    }
}

/// Checks that guests can run here. If not, the error says what is missing.
///
/// `asked` is true if the user passed `--install`.
pub(crate) fn prepare(workspace: &Workspace, asked: bool) -> Result<()> {
    if !setup::prepare(Task::Guest, asked)? {
        anyhow::bail!("the packages named above are not installed");
    }
    setup::kernel(workspace).map(drop)
}
