//! Installs packages with apt-get.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::machine::Machine;
use super::packages::Package;
use crate::watch;
use crate::workspace::Workspace;

/// How to run apt-get with the necessary rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Privilege {
    /// The user is root.
    Root,
    /// With sudo, which must not ask for a password, since there is no user to give one.
    SilentSudo,
    /// With sudo, which may ask for a password.
    AskingSudo,
}

impl Privilege {
    /// Chooses how to install packages on `machine`, or `None` if they must not be installed.
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

    /// A command that runs `program` as root.
    pub(super) fn command(self, program: &str) -> Command {
        let words: &[&str] = match self {
            Self::Root => &["env"],
            Self::SilentSudo => &["sudo", "-n", "env"],
            Self::AskingSudo => &["sudo", "env"],
        };
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        // env sets the variable, since sudo does not pass on the environment.
        command.arg("DEBIAN_FRONTEND=noninteractive").arg(program);
        command
    }

    /// An apt-get command that asks no questions, and waits for other instances to end.
    fn apt_get(self) -> Command {
        let mut command = self.command("apt-get");
        command.args(["-o", "DPkg::Lock::Timeout=120"]);
        command
    }
}

/// Installs `packages`.
pub(super) fn install(packages: &[&Package], privilege: Privilege) -> Result<()> {
    if privilege == Privilege::AskingSudo {
        ask_for_password()?;
    }
    let workspace = Workspace::load()?;
    if was_interrupted(&Machine::this()) {
        let mut finish = privilege.command("dpkg");
        finish.args(["--configure", "-a"]);
        watch::step("dpkg --configure -a", &mut finish, &workspace.log("dpkg-configure"))?;
    }
    update(privilege, &workspace)?;
    let mut install = privilege.apt_get();
    install.args(["install", "-y", "--no-install-recommends"]);
    install.args(packages.iter().map(|package| package.name));
    watch::step("apt-get install", &mut install, &workspace.log("apt-install"))
}

/// Returns true if an earlier dpkg was killed before it had installed everything.
///
/// apt-get then refuses to install anything until `dpkg --configure -a` is run. It uses the same
/// test: dpkg's directory of pending status updates has files whose names are numbers
/// (`debSystem::CheckUpdates` in apt's sources).
fn was_interrupted(machine: &Machine) -> bool {
    let Ok(updates) = fs::read_dir(machine.path("var/lib/dpkg/updates")) else {
        return false;
    };
    let is_number = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    updates.flatten().any(|update| update.file_name().to_str().is_some_and(is_number))
}

/// Updates the lists of packages.
pub(super) fn update(privilege: Privilege, workspace: &Workspace) -> Result<()> {
    let mut update = privilege.apt_get();
    update.arg("update");
    watch::step("apt-get update", &mut update, &workspace.log("apt-update"))
}

/// Makes sudo ask for the password now, before the progress display would cover the question.
fn ask_for_password() -> Result<()> {
    let status = Command::new("sudo").arg("-v").status().context("could not start sudo")?;
    if !status.success() {
        bail!("sudo refused");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Machine, Privilege, was_interrupted};
    use crate::testing::TempDir;

    /// A machine with these commands, and a user who is not root.
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
        assert_eq!(Privilege::choose(&machine, false), None);
        assert_eq!(Privilege::choose(&machine, true), Some(Privilege::AskingSudo));
    }

    #[test]
    fn a_ci_job_may_and_is_not_asked_for_a_password() {
        let directory = TempDir::new();
        let mut machine = machine(&directory, &["apt-get", "sudo"]);
        machine.is_ci = true;
        assert_eq!(Privilege::choose(&machine, false), Some(Privilege::SilentSudo));
        assert_eq!(Privilege::choose(&machine, true), Some(Privilege::SilentSudo));
    }

    #[test]
    fn root_needs_no_sudo() {
        let directory = TempDir::new();
        let mut machine = machine(&directory, &["apt-get"]);
        assert_eq!(Privilege::choose(&machine, true), None);
        machine.is_root = true;
        assert_eq!(Privilege::choose(&machine, false), Some(Privilege::Root));
    }

    #[test]
    fn without_apt_nothing_is_installed() {
        let directory = TempDir::new();
        let mut machine = machine(&directory, &["sudo"]);
        machine.is_root = true;
        assert_eq!(Privilege::choose(&machine, true), None);
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
