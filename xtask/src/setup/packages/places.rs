//! The packages of the places in which a host is run: containers, sandboxes, debuggers.

use super::{Package, Sign, Task};

/// A command through which a place is entered.
const fn command(name: &'static str, signs: &'static [Sign]) -> Package {
    Package { name, reason: "a place that tests/places runs in", signs, tasks: &[Task::Places] }
}

/// All packages of the places.
pub(super) const PACKAGES: &[Package] = &[
    command("podman", &[Sign::Command("podman")]),
    command("crun", &[Sign::Command("crun")]),
    command("uidmap", &[Sign::Command("newuidmap")]),
    command("bubblewrap", &[Sign::Command("bwrap")]),
    command("firejail", &[Sign::Command("firejail")]),
    command("gdb", &[Sign::Command("gdb")]),
    command("strace", &[Sign::Command("strace")]),
    command("valgrind", &[Sign::Command("valgrind")]),
    command("musl-tools", &[Sign::Command("musl-gcc")]),
];
