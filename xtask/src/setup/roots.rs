//! Root directories of other Debian releases, in which programs run.
//!
//! They are created once with debootstrap, and then reused. What a task needs in one is installed
//! on demand. A root directory contains nothing of this machine. What programs share with this
//! machine is mounted for each run, in a mount namespace that ends with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use anyhow::{Context, Result, bail};

use super::advice;
use super::apt::Privilege;
use super::machine::Machine;
use super::mirror;
use super::packages::{Package, Task, missing};
use crate::watch;
use crate::workspace::Workspace;

/// A release of Debian.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Release {
    /// Its codename, as on mirrors.
    pub(crate) codename: &'static str,
    /// Its name for people.
    pub(crate) name: &'static str,
    /// True if its packages change from day to day.
    pub(crate) moves: bool,
}

impl Release {
    /// The path of its root directory, which need not exist.
    pub(crate) fn root(&self, workspace: &Workspace) -> PathBuf {
        workspace.roots_directory().join(self.codename)
    }

    /// The directory for what is built in its root.
    pub(crate) fn target(&self, workspace: &Workspace) -> PathBuf {
        workspace.roots_directory().join(format!("{}.target", self.codename))
    }
}

/// The supported releases, oldest first.
pub(crate) const RELEASES: &[Release] = &[
    Release { codename: "bookworm", name: "Debian 12", moves: false },
    Release { codename: "trixie", name: "Debian 13", moves: false },
    Release { codename: "sid", name: "Debian sid", moves: true },
];

/// Directories of this machine that every program in a root sees.
const SHARED: [&str; 3] = ["/dev", "/proc", "/sys"];

/// The script that enters a root.
const ENTER: &str = include_str!("enter.sh");

/// Prefixes of the environment variables that are passed to programs in a root.
const VARIABLES: [&str; 5] = ["CARGO", "OMNIGLOT", "RUST", "TERM", "http"];

/// The search path in a root.
pub(crate) const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The root directory of a release.
#[derive(Debug)]
pub(crate) struct Root {
    directory: PathBuf,
    privilege: Privilege,
}

impl Root {
    /// The root directory of a release, with what `task` needs. It is created if it does not exist.
    ///
    /// `asked` is true if the user passed `--install`.
    pub(crate) fn of(
        release: &Release,
        task: Task,
        workspace: &Workspace,
        asked: bool,
    ) -> Result<Self> {
        let privilege = privilege(asked)?;
        let directory = release.root(workspace);
        if !directory.is_dir() {
            make(release, &directory, privilege, workspace)
                .with_context(|| format!("could not make a root of {}", release.name))?;
        }
        let root = Self { directory, privilege };
        root.furnish(release, task, workspace)
            .with_context(|| format!("could not install what is missing in {}", release.name))?;
        Ok(root)
    }

    /// A command that runs in the root, in the directory `here`, with the directories `shared` of
    /// this machine.
    pub(crate) fn command(&self, shared: &[&Path], here: &Path) -> Command {
        let mut command = self.privilege.command("unshare");
        command.args(["--mount", "sh", "-c", ENTER, "enter.sh"]).arg(&self.directory).arg(here);
        command.args(SHARED).args(shared).args(["--", "env", "-i"]);
        let ours = std::env::vars_os().filter(|(name, _)| is_passed_on(&name.to_string_lossy()));
        command.args(ours.map(|(mut name, value)| {
            name.push("=");
            name.push(value);
            name
        }));
        command.arg(format!("PATH={SEARCH_PATH}")).arg("HOME=/root").arg("LC_ALL=C.UTF-8");
        command
    }

    /// Installs what `task` needs and is missing.
    fn furnish(&self, release: &Release, task: Task, workspace: &Workspace) -> Result<()> {
        let machine = Machine::at(&self.directory);
        let lacking = missing(task, &[], &machine);
        if lacking.is_empty() {
            return Ok(());
        }
        let mut update = self.apt_get();
        update.arg("update");
        let log = workspace.log(&format!("root-{}-install", release.codename));
        watch::step(&format!("{}: apt-get update", release.name), &mut update, &log)?;
        let mut install = self.apt_get();
        install.args(["install", "-y", "--no-install-recommends"]).args(names(&lacking));
        watch::step(&format!("{}: apt-get install", release.name), &mut install, &log)?;
        let lacking = missing(task, &[], &machine);
        if !lacking.is_empty() {
            bail!("these are still missing: {}", advice::names(&lacking));
        }
        Ok(())
    }

    fn apt_get(&self) -> Command {
        let mut command = self.command(&[], Path::new("/"));
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        // An outdated mirror is good enough for tests, and debootstrap accepts it, too.
        command.args(["-o", "Acquire::Check-Valid-Until=false"]);
        command
    }
}

/// Checks that root directories can be created on this machine, without creating one. If not, the
/// error says what is missing.
///
/// `asked` is true if the user passed `--install`.
pub(super) fn possible(asked: bool) -> Result<()> {
    let mut unshare = privilege(asked)?.command("unshare");
    let output = unshare.args(["--mount", "chroot", "/", "true"]).output();
    let output = output.context("could not start unshare")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "this machine does not allow mounting or changing the root directory: {}",
            said.trim()
        );
    }
    Ok(())
}

/// How to get the rights for creating a root directory and running programs in it.
fn privilege(asked: bool) -> Result<Privilege> {
    Privilege::choose(&Machine::this(), asked).context(
        "only root can create and enter root directories of other systems: run this as root, or \
         with --install",
    )
}

fn make(
    release: &Release,
    directory: &Path,
    privilege: Privilege,
    workspace: &Workspace,
) -> Result<()> {
    let mirror = mirror::of_debian(privilege, workspace)?;
    let roots = workspace.roots_directory();
    fs::create_dir_all(&roots).with_context(|| format!("could not create {}", roots.display()))?;
    // An interrupted run must leave nothing that looks complete.
    let scratch = directory.with_extension(process::id().to_string());
    let outcome = debootstrap(release, &scratch, &mirror, privilege, workspace).and_then(|()| {
        fs::rename(&scratch, directory)
            .with_context(|| format!("could not create {}", directory.display()))
    });
    // Anything left is removed when the target directory is cleaned.
    let _ = fs::remove_dir_all(&scratch);
    outcome
}

fn debootstrap(
    release: &Release,
    place: &Path,
    mirror: &str,
    privilege: Privilege,
    workspace: &Workspace,
) -> Result<()> {
    let nothing = Machine::at(place);
    let include = names(&missing(Task::Prebuilt, &[], &nothing)).join(",");
    // Whatever it mounts disappears with the namespace, even if it is interrupted.
    let mut command = privilege.command("unshare");
    command.args(["--mount", "debootstrap", "--variant=minbase", "--include", &include]);
    command.arg(release.codename).arg(place).arg(mirror);
    let log = workspace.log(&format!("root-{}", release.codename));
    watch::step(&format!("Making a root of {}", release.name), &mut command, &log)
}

fn names(packages: &[&'static Package]) -> Vec<&'static str> {
    packages.iter().map(|package| package.name).collect()
}

fn is_passed_on(name: &str) -> bool {
    VARIABLES.iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::{RELEASES, is_passed_on};

    #[test]
    fn no_two_releases_share_a_name() {
        for (index, release) in RELEASES.iter().enumerate() {
            let others = &RELEASES[index + 1..];
            assert!(others.iter().all(|other| other.codename != release.codename));
            assert!(others.iter().all(|other| other.name != release.name));
        }
    }

    #[test]
    fn little_of_the_environment_reaches_a_root() {
        assert!(is_passed_on("CARGO_HOME") && is_passed_on("RUST_BACKTRACE"));
        assert!(!is_passed_on("LD_LIBRARY_PATH") && !is_passed_on("PATH"));
    }
}
