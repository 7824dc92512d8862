//! Which files a worker can open while it loads: Landlock rules (Linux 5.13).

use std::error::Error as _;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, Scope,
};
use omniglot_core::{Error, Result};
use rustix::io::Errno;

use super::system::refused;

/// The rights that the newest known version has; the crate drops those that the kernel lacks.
const NEWEST: ABI = ABI::V6;

/// Where the system's dynamic linker finds libraries, and its index of them.
const SYSTEM: &[&str] = &[
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/local/lib64",
    "/etc/ld.so.cache",
];

/// Rules that allow to read these, and nothing else: no other file, no network, no
/// signals. `None` where the kernel has no Landlock.
pub(super) fn rules(paths: &[PathBuf]) -> Result<Option<OwnedFd>> {
    Ok(build(paths).map_err(|error| explain(&error))?.into())
}

/// Running out of files or memory does not mean that the kernel lacks Landlock.
fn explain(error: &RulesetError) -> Error {
    let mut causes = std::iter::successors(error.source(), |&cause| cause.source());
    let errno = causes.find_map(|cause| cause.downcast_ref::<io::Error>()?.raw_os_error());
    match errno.map(Errno::from_raw_os_error) {
        Some(errno @ (Errno::MFILE | Errno::NFILE | Errno::NOMEM)) => {
            refused("making the rules that confine foreign code (Landlock)")(errno)
        }
        _ => Error::Unsupported {
            what: "Landlock refused the rules that confine foreign code",
            remedy: "check that the library directories are readable",
        },
    }
}

/// Everything that a worker may read: the system's libraries and the user's.
pub(super) fn readable(directories: &[PathBuf], files: &[PathBuf]) -> Vec<PathBuf> {
    let system = SYSTEM.iter().map(PathBuf::from);
    system.chain(directories.iter().cloned()).chain(files.iter().cloned()).collect()
}

fn build(paths: &[PathBuf]) -> core::result::Result<RulesetCreated, RulesetError> {
    let mut created = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    for path in paths {
        // What does not exist needs no rule.
        if let Ok(opened) = PathFd::new(path) {
            let access = AccessFs::ReadFile | AccessFs::Execute;
            created = created.add_rule(PathBeneath::new(opened, access))?;
        }
    }
    Ok(created)
}
