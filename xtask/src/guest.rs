//! A virtual machine with protection keys, in which one program of this machine runs.
//!
//! Few machines that Omniglot is developed and tested on have the processor's protection keys, so
//! what needs them runs in QEMU, whose emulated processor has. A [`Guest`] is a kernel from Debian
//! and an archive of files made for the occasion: the program, the libraries that it needs,
//! busybox, and what the user names. Nothing of this machine can be changed from inside, and no
//! disk, network or privilege is needed. What runs inside finds [`MARK`] in its environment.

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

/// The environment variable by which a program can tell that it runs in a guest.
const MARK: &str = "OMNIGLOT_GUEST";

/// What executes the guest's instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Accelerator {
    /// QEMU's emulation, which has protection keys whatever the machine has
    #[default]
    Tcg,
    /// The same, but interrupts can come between any two instructions, and not only where a
    /// block of them ends; several times slower
    TcgSteps,
    /// The machine's processor, which may lack them
    Kvm,
}

/// A program to be run, and the machine to run it in.
#[derive(Debug)]
pub(crate) struct Guest {
    /// The kernel's image; Debian's unless given.
    pub(crate) kernel: Option<PathBuf>,
    /// How many processors there are.
    pub(crate) cpus: u32,
    /// How much memory there is, in MiB.
    pub(crate) memory: u32,
    pub(crate) accelerator: Accelerator,
    /// How long all of it may take.
    pub(crate) timeout: Duration,
    /// The root directory of the system whose libraries it gets: `/` for this machine's.
    pub(crate) root: PathBuf,
    /// Files and directories, or names of shared libraries, that are to be there too.
    pub(crate) files: Vec<PathBuf>,
    /// The program's environment, beside what every guest has.
    pub(crate) variables: Vec<(OsString, OsString)>,
    /// What the program reads from its standard input.
    pub(crate) input: Vec<u8>,
    /// The program: a path, or a name to be searched for as a shell does.
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
}

impl Guest {
    /// Runs the program and hands on what it prints; returns its exit status, as a shell gives it.
    ///
    /// An error says that the machine, not the program, failed.
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

/// Makes sure that there can be guests; if not, the error says what is missing.
///
/// `asked` is whether the user said `--install`.
pub(crate) fn prepare(workspace: &Workspace, asked: bool) -> Result<()> {
    if !setup::prepare(Task::Guest, asked)? {
        anyhow::bail!("the packages named above are not installed");
    }
    setup::kernel(workspace).map(drop)
}
