//! Which files a worker can open while it loads: Landlock rules (Linux 5.13).

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use omniglot_core::{Error, Result};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;

use super::landlock::Rules;
use super::probes::landlock_version;
use super::system::refused;

/// Where the system's dynamic linker finds libraries, and its index of them.
const SYSTEM: &[&str] = &[
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/local/lib64",
    "/etc/ld.so.cache",
    // musl's list of directories.
    "/etc/ld-musl-x86_64.path",
    "/etc/ld-musl-aarch64.path",
];

/// Rules that allow to read these, and nothing else: no other file, no network, no
/// signals. `None` where the kernel has no Landlock.
pub(super) fn rules(paths: &[PathBuf]) -> Result<Option<OwnedFd>> {
    let Some(version) = landlock_version() else { return Ok(None) };
    build(version, paths).map(|rules| Some(rules.into())).map_err(explain)
}

/// Running out of files or memory does not mean that the kernel lacks Landlock.
fn explain(errno: Errno) -> Error {
    match errno {
        Errno::MFILE | Errno::NFILE | Errno::NOMEM => {
            refused("making the rules that confine foreign code (Landlock)")(errno)
        }
        _ => Error::Unsupported {
            what: "Landlock refused the rules that confine foreign code",
            remedy: "check that the library directories are readable",
        },
    }
}

/// Returns true if a directory is one of the system's, which every worker may read.
pub(super) fn is_of_system(directory: &Path) -> bool {
    SYSTEM.iter().any(|system| directory.starts_with(system))
}

/// Everything that a worker may read: the system's libraries and the user's.
pub(super) fn readable(directories: &[PathBuf], files: &[PathBuf]) -> Vec<PathBuf> {
    let system = SYSTEM.iter().map(PathBuf::from);
    system.chain(directories.iter().cloned()).chain(files.iter().cloned()).collect()
}

fn build(version: u32, paths: &[PathBuf]) -> core::result::Result<Rules, Errno> {
    let mut rules = Rules::new(version)?;
    for path in paths {
        // What does not exist needs no rule.
        match open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
            Ok(opened) => rules.allow_reading(opened)?,
            Err(errno @ (Errno::MFILE | Errno::NFILE | Errno::NOMEM)) => return Err(errno),
            Err(_) => {}
        }
    }
    Ok(rules)
}
