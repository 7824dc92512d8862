//! What a guest is made of.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::arch::{Accelerator, Arch};

/// A program, and the machine that it runs in.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) arch: Arch,
    /// The kernel's image. `None` stands for Debian's.
    pub(crate) kernel: Option<PathBuf>,
    /// The number of processors.
    pub(crate) cpus: u32,
    /// The size of memory in MiB.
    pub(crate) memory: u32,
    pub(crate) accelerator: Accelerator,
    /// The time limit for the whole run.
    pub(crate) timeout: Duration,
    /// The root directory of the system that provides the libraries: `/` for this machine's. Of
    /// another architecture's all libraries are taken, since nobody here can tell which.
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
