//! Messages for the user about missing packages.

use super::machine::Machine;
use super::packages::Package;

/// The message if set-up does not install `lacking` on `machine` itself.
pub(super) fn text(lacking: &[&Package], machine: &Machine) -> String {
    let reasons = reasons(lacking);
    let remedy = remedy(&names(lacking), machine);
    format!(
        "These system packages are missing (by their names in Debian):\n\n{reasons}\n{remedy}\n"
    )
}

/// Instructions for installing the packages `names`.
fn remedy(names: &str, machine: &Machine) -> String {
    let install = format!("apt-get install -y --no-install-recommends {names}");
    if !machine.has_command("apt-get") {
        "There is no apt-get here: please install your system's equivalents.\n\
         If libclang is in another directory, set LIBCLANG_PATH to that directory."
            .to_owned()
    } else if machine.has_command("sudo") {
        format!(
            "Install them with\n\n  sudo apt-get update && sudo {install}\n\n\
             or add --install to the command to have that done for you."
        )
    } else {
        format!("Install them, as root, with\n\n  apt-get update && {install}")
    }
}

/// One line for each package, with its name and the reason why it is needed.
pub(super) fn reasons(packages: &[&Package]) -> String {
    let width = packages.iter().map(|package| package.name.len()).max().unwrap_or(0);
    packages
        .iter()
        .map(|Package { name, reason, .. }| format!("  {name:width$}  {reason}\n"))
        .collect()
}

/// The names of the packages, as in a command line.
pub(super) fn names(packages: &[&Package]) -> String {
    let names: Vec<&str> = packages.iter().map(|package| package.name).collect();
    names.join(" ")
}

#[cfg(test)]
mod tests {
    use super::{Machine, text};
    use crate::setup::packages::{Task, missing};
    use crate::testing::TempDir;

    /// The message on a machine with `commands` that lacks only libclang and libpng.
    fn advice(commands: &[&str]) -> String {
        let directory = TempDir::new();
        for file in ["bin/cc", "bin/pkg-config", "include/stdio.h", "include/zlib.h"] {
            directory.touch(&format!("usr/{file}"));
        }
        for command in commands {
            directory.touch(&format!("usr/bin/{command}"));
        }
        let machine = Machine::at(directory.path());
        text(&missing(Task::Demo, &[], &machine), &machine)
    }

    #[test]
    fn there_is_one_command_to_copy() {
        let text = advice(&["apt-get", "sudo"]);
        let command = "sudo apt-get install -y --no-install-recommends libclang-dev libpng-dev\n";
        assert!(text.contains(command), "{text}");
        assert!(text.contains("--install "), "{text}");
    }

    #[test]
    fn each_package_comes_with_its_reason() {
        let text = advice(&["apt-get", "sudo"]);
        assert!(text.contains("  libclang-dev  reads the C libraries' headers"), "{text}");
        assert!(text.contains("  libpng-dev    the C library that"), "{text}");
        assert!(!text.contains("zlib1g-dev"), "{text}");
    }

    #[test]
    fn without_sudo_the_command_is_for_root() {
        let text = advice(&["apt-get"]);
        assert!(text.contains("as root"), "{text}");
        assert!(!text.contains("sudo"), "{text}");
        assert!(!text.contains("--install "), "{text}");
    }

    #[test]
    fn without_apt_there_is_a_list_but_no_command() {
        let text = advice(&["sudo"]);
        assert!(text.contains("  libpng-dev    the C library that"), "{text}");
        assert!(!text.contains("sudo"), "{text}");
    }
}
