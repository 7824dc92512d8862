//! A virtual machine with protection keys that runs one program of this machine.
//!
//! Few machines that Omniglot is developed and tested on have protection keys. What needs them runs
//! in QEMU, whose emulated processor has them. A [`Guest`] consists of a kernel from Debian and an
//! archive with the program, its libraries, busybox, and the files that the user names. The guest
//! cannot change anything on this machine, and needs no disk, network or privileges. Programs in it
//! find [`MARK`](init::MARK) in their environment.

pub(crate) mod arch;
mod archive;
pub(crate) mod command;
mod failure;
mod files;
mod init;
mod libraries;
mod machine;
mod program;
mod qemu;
mod relay;
mod tree;
mod wanted;

use anyhow::Result;

pub(crate) use self::arch::{Accelerator, Arch};
pub(crate) use self::command::Arguments;
pub(crate) use self::machine::Guest;
use self::qemu::Run;
pub(crate) use self::relay::Stream;
use crate::setup::{self, Task};
use crate::workspace::Workspace;

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
            None => setup::kernel(workspace, self.arch)?,
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
    setup::kernel(workspace, Arch::X86_64).map(drop)
}

/// The same for guests of 64-bit Arm, and programs that are built for it.
pub(crate) fn prepare_arm64(workspace: &Workspace, asked: bool) -> Result<()> {
    if !setup::prepare(Task::Arm64, asked)? {
        anyhow::bail!("the packages named above are not installed");
    }
    setup::prepare_target(setup::ARM64_TARGET)?;
    setup::arm64_root(workspace)?;
    setup::arm64_build_environment(workspace)?;
    setup::kernel(workspace, Arch::Aarch64).map(drop)
}
