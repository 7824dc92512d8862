//! Which files a worker can open while it loads: Landlock rules (Linux 5.13).

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, Scope,
};
use omniglot_core::{Error, Result};

/// What is known about: the crate leaves out what the kernel does not have.
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

/// Rules that allow to read libraries beneath the system's and the user's
/// directories, and nothing else: no other file, no network, no signals.
pub(super) fn rules(directories: &[PathBuf], files: &[PathBuf]) -> Result<OwnedFd> {
    let created = build(directories, files).map_err(|_| Error::Unsupported {
        what: "Landlock refused the rules that confine foreign code",
        remedy: "check that the library directories are readable",
    })?;
    Option::<OwnedFd>::from(created).ok_or(Error::Unsupported {
        what: "Landlock is missing, so files cannot be kept from foreign code while it loads",
        remedy: "use Linux 5.13 or later with Landlock enabled (kernel parameter lsm=landlock,...)",
    })
}

fn build(
    directories: &[PathBuf],
    files: &[PathBuf],
) -> core::result::Result<RulesetCreated, RulesetError> {
    let mut created = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    let system = SYSTEM.iter().map(Path::new);
    let paths = system
        .chain(directories.iter().map(PathBuf::as_path))
        .chain(files.iter().map(PathBuf::as_path));
    for path in paths {
        // What does not exist needs no rule.
        if let Ok(opened) = PathFd::new(path) {
            created = created
                .add_rule(PathBeneath::new(opened, AccessFs::ReadFile | AccessFs::Execute))?;
        }
    }
    Ok(created)
}
