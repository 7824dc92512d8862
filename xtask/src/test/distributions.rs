//! The suite `distributions`: the same with other C libraries, linkers, compilers and libclangs.
//!
//! A release of Debian takes part in two ways. The cheap one runs there, in a root directory and
//! with its C library, what was built here: nothing is compiled, and making the root takes less
//! than a minute. It finds what a newer dynamic linker or C library does otherwise, such as a system
//! call or an instruction of its own, and so every run of all tests has it for the newest stable
//! release. The other way also
//! builds there, with that release's compiler and libclang. That takes minutes for each release, so
//! it is done, for all releases, only when the suite is asked for by name or everything by `--all`.
//!
//! A release that changes from day to day warns, and breaks nothing: what fails in it is reported
//! as skipped.

use std::fs;
use std::process::Command;

use anyhow::{Result, ensure};

use super::suites;
use crate::cargo;
use crate::root;
use crate::setup::{RELEASES, Release};
use crate::workspace::Workspace;

/// The release that every run of all tests has.
const USUAL: &str = "trixie";

/// How long the tests in a guest may take, in seconds: its processors are slow.
const GUEST_TIMEOUT: &str = "1800";

/// Tests that run where the C library is that of the release.
struct Tests {
    /// What cargo is told. The packages are those that their own suites select together, since
    /// cargo would otherwise build them anew, with other features.
    selection: &'static [&'static str],
    /// Those whose names contain one of these, or all.
    names: &'static [&'static str],
}

/// The tests in the root directory.
const IN_ROOT: [Tests; 3] = [
    Tests {
        selection: &["-p", "omniglot-demo", "--test", "demo", "--test", "decoder"],
        names: &[],
    },
    Tests { selection: &["-p", "omniglot-conformance", "--test", "process"], names: &[] },
    Tests {
        selection: &["-p", "omniglot-build", "-p", "omniglot-cli", "--test", "scan"],
        // The others need a C compiler, and libraries of their own making.
        names: &["debians_libraries_can_be_loaded", "what_libpng_needs", "c_librarys_own_gadgets"],
    },
];

/// The tests in a guest.
const IN_GUEST: Tests =
    Tests { selection: &["-p", "omniglot-conformance", "--test", "keys"], names: &[] };

/// The tests in a guest that has [`LIBRARIES`].
const WITH_LIBRARIES: Tests = Tests {
    selection: &["-p", "omniglot-conformance", "-p", "omniglot-in-process", "--test", "real"],
    names: &[],
};

/// The unmodified libraries of a release that are run behind protection keys.
const LIBRARIES: [&str; 5] =
    ["libpng16.so.16", "libz.so.1", "libsodium.so.23", "libbrotlienc.so.1", "libbrotlidec.so.1"];

/// The manifests of what programs in a root need crates of: the workspace, and the demo's pictures.
const FETCHED: [&str; 2] = ["Cargo.toml", "demo/data/Cargo.toml"];

/// What is built in the root directory, and run there.
const BUILT: &[&str] = &[
    "-p",
    "omniglot-demo",
    "-p",
    "omniglot-conformance",
    "--test",
    "demo",
    "--test",
    "decoder",
    "--test",
    "process",
];

/// The releases that take part.
pub(super) fn releases(thorough: bool) -> impl Iterator<Item = &'static Release> {
    RELEASES.iter().filter(move |release| thorough || release.codename == USUAL)
}

/// What runs the tests with a release.
pub(super) struct Run {
    /// The version of its C library.
    pub(super) libc: String,
    pub(super) commands: Vec<Command>,
}

/// What runs the tests with a release, whose root is made if that has not been done.
///
/// An error says why there can be no such tests.
pub(super) fn run(
    release: &Release,
    thorough: bool,
    asked: bool,
    workspace: &Workspace,
) -> Result<Run> {
    let libc = root::libc_version(release, workspace, asked)?;
    let readme = fs::read_to_string(workspace.root().join("README.md"))?;
    ensure!(
        release.moves || is_named(release, &libc, &readme),
        "README.md does not say that {} was run with glibc {libc}",
        release.name
    );
    let here = root::libc_version_here()?;
    let is_enough = numbers(&libc) >= numbers(&here);
    ensure!(
        is_enough || thorough,
        "what is built here needs glibc {here}, and {} has glibc {libc}",
        release.name
    );
    let mut commands: Vec<Command> = FETCHED.iter().map(|place| fetch(place, workspace)).collect();
    if is_enough {
        commands.extend(prebuilt(release, workspace)?);
    }
    if thorough {
        commands.push(built(release, workspace)?);
    }
    Ok(Run { libc, commands })
}

/// Runs with `release` what was built here.
fn prebuilt(release: &Release, workspace: &Workspace) -> Result<Vec<Command>> {
    let root = suites::runner(&["root", release.codename])?;
    let directory = release.root(workspace).display().to_string();
    let guest = ["guest", "--root", &directory, "--timeout", GUEST_TIMEOUT];
    let mut commands: Vec<Command> =
        IN_ROOT.iter().map(|tests| tests.command(&root, workspace)).collect();
    commands.push(IN_GUEST.command(&suites::runner(&guest)?, workspace));
    // A release that moves may have newer libraries, of other names than these.
    if !release.moves {
        let files: Vec<&str> = LIBRARIES.iter().flat_map(|library| ["--file", library]).collect();
        let guest = suites::runner(&[&guest[..], &files].concat())?;
        commands.push(WITH_LIBRARIES.command(&guest, workspace));
    }
    Ok(commands)
}

/// Downloads the crates that a lock file names, unless they are here: a root has no network.
fn fetch(manifest: &str, workspace: &Workspace) -> Command {
    let mut command = cargo::command();
    command.args(["fetch", "--locked", "--manifest-path"]).arg(workspace.root().join(manifest));
    command
}

/// Builds with `release`, and runs what was built.
fn built(release: &Release, workspace: &Workspace) -> Result<Command> {
    let words = ["root", release.codename, "--build", "--", "cargo", "test", "--no-fail-fast"];
    suites::xtask(&[&words[..], &["--locked"], BUILT].concat(), workspace)
}

impl Tests {
    fn command(&self, runner: &str, workspace: &Workspace) -> Command {
        let mut command = suites::test_command(workspace);
        command.args(["--config", runner]).args(self.selection).arg("--").args(self.names);
        command
    }
}

/// Whether the README's table of systems has a release, with the C library that it has.
fn is_named(release: &Release, libc: &str, readme: &str) -> bool {
    readme.contains(&format!("{} (glibc {libc})", release.name))
}

/// The numbers of a version, which order versions.
fn numbers(version: &str) -> Vec<u32> {
    version.split('.').filter_map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::{RELEASES, USUAL, is_named, numbers, releases};

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(numbers("2.41") > numbers("2.36") && numbers("2.100") > numbers("2.41"));
        assert!(numbers("2.41") >= numbers("2.41"));
    }

    #[test]
    fn the_readme_names_what_was_run() {
        let debian_12 = &RELEASES[0];
        assert!(is_named(debian_12, "2.36", "| tested on Debian 12 (glibc 2.36) |"));
        assert!(!is_named(debian_12, "2.37", "| tested on Debian 12 (glibc 2.36) |"));
    }

    #[test]
    fn the_usual_release_is_the_newest_that_does_not_move() {
        let usual: Vec<_> = releases(false).collect();
        let newest = RELEASES.iter().rfind(|release| !release.moves).unwrap();
        assert_eq!(usual, [newest]);
        assert_eq!(newest.codename, USUAL);
        assert_eq!(releases(true).count(), RELEASES.len());
    }
}
