//! Installing packages with apt-get.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::machine::Machine;
use super::packages::Package;
use crate::watch;
use crate::workspace::Workspace;

/// How to run apt-get with the rights it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// As the root user we are.
    Root,
    /// With a sudo that must not ask for a password, since there is nobody to give one.
    SilentSudo,
    /// With a sudo that may ask.
    AskingSudo,
}

impl Way {
    /// How to install packages on `machine`, if we may do it at all.
    pub(super) fn choose(machine: &Machine, asked: bool) -> Option<Self> {
        if !machine.has_command("apt-get") {
            return None;
        }
        if machine.is_root {
            return Some(Self::Root);
        }
        let sudo = if machine.is_ci { Self::SilentSudo } else { Self::AskingSudo };
        ((machine.is_ci || asked) && machine.has_command("sudo")).then_some(sudo)
    }

    /// `program` with root's rights.
    pub(super) fn command(self, program: &str) -> Command {
        let words: &[&str] = match self {
            Self::Root => &["env"],
            Self::SilentSudo => &["sudo", "-n", "env"],
            Self::AskingSudo => &["sudo", "env"],
        };
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        // By way of env, because sudo does not hand the environment on.
        command.arg("DEBIAN_FRONTEND=noninteractive").arg(program);
        command
    }

    /// An apt-get that asks no questions and waits for another one to end.
    fn apt_get(self) -> Command {
        let mut command = self.command("apt-get");
        command.args(["-o", "DPkg::Lock::Timeout=120"]);
        command
    }
}

/// Installs `packages`.
pub(super) fn install(packages: &[&Package], way: Way) -> Result<()> {
    if way == Way::AskingSudo {
        ask_for_password()?;
    }
    let workspace = Workspace::load()?;
    if was_interrupted(&Machine::this()) {
        let mut finish = way.command("dpkg");
        finish.args(["--configure", "-a"]);
        watch::step("dpkg --configure -a", &mut finish, &workspace.log("dpkg-configure"))?;
    }
    update(way, &workspace)?;
    let mut install = way.apt_get();
    install.args(["install", "-y", "--no-install-recommends"]);
    install.args(packages.iter().map(|package| package.name));
    watch::step("apt-get install", &mut install, &workspace.log("apt-install"))
}

/// Returns true if an earlier dpkg was killed before it had installed everything.
///
/// apt-get installs nothing then, until `dpkg --configure -a` was run: its test is the same, files
/// with numbers for names in dpkg's directory of changes that are yet to be written down
/// (`debSystem::CheckUpdates` in apt's sources).
fn was_interrupted(machine: &Machine) -> bool {
    let Ok(updates) = fs::read_dir(machine.path("var/lib/dpkg/updates")) else {
        return false;
    };
    let is_number = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    updates.flatten().any(|update| update.file_name().to_str().is_some_and(is_number))
}

/// Has apt-get read the lists of packages.
pub(super) fn update(way: Way, workspace: &Workspace) -> Result<()> {
    let mut update = way.apt_get();
    update.arg("update");
    watch::step("apt-get update", &mut update, &workspace.log("apt-update"))
}

/// Has sudo ask for the password now, before the display of progress would cover the question.
fn ask_for_password() -> Result<()> {
    let status = Command::new("sudo").arg("-v").status().context("could not start sudo")?;
    if !status.success() {
        bail!("sudo refused");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Machine, Way, was_interrupted};
    use crate::testing::TempDir;

    /// A machine with the given commands, and a user who is not root.
    fn machine(directory: &TempDir, commands: &[&str]) -> Machine {
        for command in commands {
            directory.touch(&format!("usr/bin/{command}"));
        }
        Machine::at(directory.path())
    }

    #[test]
    fn an_ordinary_user_has_to_ask() {
        let directory = TempDir::new();
        let machine = machine(&directory, &["apt-get", "sudo"]);
        assert_eq!(Way::choose(&machine, false), None);
        assert_eq!(Way::choose(&machine, true), Some(Way::AskingSudo));
    }

    #[test]
    fn a_ci_job_may_and_is_not_asked_for_a_password() {
        let directory = TempDir::new();
        let mut machine = machine(&directory, &["apt-get", "sudo"]);
        machine.is_ci = true;
        assert_eq!(Way::choose(&machine, false), Some(Way::SilentSudo));
        assert_eq!(Way::choose(&machine, true), Some(Way::SilentSudo));
    }

    #[test]
    fn root_needs_no_sudo() {
        let directory = TempDir::new();
        let mut machine = machine(&directory, &["apt-get"]);
        assert_eq!(Way::choose(&machine, true), None);
        machine.is_root = true;
        assert_eq!(Way::choose(&machine, false), Some(Way::Root));
    }

    #[test]
    fn without_apt_nothing_is_installed() {
        let directory = TempDir::new();
        let mut machine = machine(&directory, &["sudo"]);
        machine.is_root = true;
        assert_eq!(Way::choose(&machine, true), None);
    }

    #[test]
    fn an_installation_that_was_killed_is_noticed() {
        let directory = TempDir::new();
        let machine = machine(&directory, &["apt-get"]);
        assert!(!was_interrupted(&machine));
        directory.touch("var/lib/dpkg/updates/tmp.i");
        assert!(!was_interrupted(&machine));
        directory.touch("var/lib/dpkg/updates/0003");
        assert!(was_interrupted(&machine));
    }
}
