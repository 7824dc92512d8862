//! The suite `distributions`: runs tests with other C libraries, linkers, compilers and libclangs.
//!
//! A Debian release is tested in two ways. The cheap way runs what was built here in a root
//! directory with that release's C library. Nothing is compiled, and creating the root takes less
//! than a minute. This finds differences in a newer dynamic linker or C library, such as a new
//! system call or instruction. So every run of all tests includes it, for the newest stable
//! release. The other way also builds there, with that release's compiler and libclang. That takes
//! minutes for each release. So it runs, for all releases, only when the suite is requested by name
//! or everything by `--all`.
//!
//! A release that changes from day to day only causes warnings: its failures are reported as
//! skipped.

use std::fs;
use std::process::Command;

use anyhow::{Result, ensure};

use super::extent::Extent;
use super::suites;
use crate::cargo;
use crate::root;
use crate::setup::{RELEASES, Release};
use crate::workspace::Workspace;

/// The release in every run of all tests.
const USUAL: &str = "trixie";

/// The time limit in seconds for tests in a guest, whose processors are slow.
const GUEST_TIMEOUT: &str = "1800";

/// Tests that run with the release's C library.
struct Tests {
    /// The test programs, each with its package.
    programs: &'static [(&'static str, &'static str)],
    /// Packages that are selected too, if this suite runs alone. They are those of the programs' own
    /// suites. Otherwise cargo would build them again, with other features.
    beside: &'static [&'static str],
    /// Only tests whose names contain one of these. Empty means all.
    names: &'static [&'static str],
}

/// The tests in the root directory.
const IN_ROOT: [Tests; 3] = [
    Tests {
        programs: &[("omniglot-demo", "demo"), ("omniglot-demo", "decoder")],
        beside: &[],
        names: &[],
    },
    Tests { programs: &[("omniglot-conformance", "process")], beside: &[], names: &[] },
    Tests {
        programs: &[("omniglot-cli", "scan")],
        beside: &["omniglot-build"],
        // The other tests need a C compiler, and libraries that they build.
        names: &["debians_libraries_can_be_loaded", "what_libpng_needs", "c_librarys_own_gadgets"],
    },
];

/// The tests in a guest.
const IN_GUEST: Tests =
    Tests { programs: &[("omniglot-conformance", "keys")], beside: &[], names: &[] };

/// The tests in a guest that has [`LIBRARIES`].
const WITH_LIBRARIES: Tests = Tests {
    programs: &[("omniglot-in-process", "real")],
    beside: &["omniglot-conformance"],
    names: &[],
};

/// Unmodified libraries of the release that run behind protection keys.
const LIBRARIES: [&str; 5] =
    ["libpng16.so.16", "libz.so.1", "libsodium.so.23", "libbrotlienc.so.1", "libbrotlidec.so.1"];

/// The manifests whose dependencies programs in a root need: the workspace, and the demo's
/// pictures.
const FETCHED: [&str; 2] = ["Cargo.toml", "demo/data/Cargo.toml"];

/// The tests that are built and run in the root directory.
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

/// The releases to test with.
pub(super) fn releases(thorough: bool) -> impl Iterator<Item = &'static Release> {
    RELEASES.iter().filter(move |release| thorough || release.codename == USUAL)
}

/// The commands that run the tests with a release.
pub(super) struct Run {
    /// The version of the release's C library.
    pub(super) libc: String,
    pub(super) commands: Vec<Command>,
}

/// Prepares the tests with a release. Its root directory is created if it does not exist.
///
/// An error says why the tests cannot run.
pub(super) fn run(release: &Release, extent: Extent, workspace: &Workspace) -> Result<Run> {
    let Extent { thorough, together, asked } = extent;
    let libc = root::libc_version(release, workspace, asked)?;
    let readme = fs::read_to_string(workspace.root().join("README.md"))?;
    ensure!(
        release.moves || is_named(release, &libc, &readme),
        "README.md does not list {} with glibc {libc}",
        release.name
    );
    let here = root::libc_version_here()?;
    let is_enough = numbers(&libc) >= numbers(&here);
    ensure!(
        is_enough || thorough,
        "programs built here need glibc {here}, but {} has glibc {libc}",
        release.name
    );
    let mut commands: Vec<Command> = FETCHED.iter().map(|place| fetch(place, workspace)).collect();
    if is_enough {
        commands.extend(prebuilt(release, together, workspace)?);
    }
    if thorough {
        commands.push(built(release, workspace)?);
    }
    Ok(Run { libc, commands })
}

/// The commands that run with `release` what was built here.
fn prebuilt(release: &Release, together: bool, workspace: &Workspace) -> Result<Vec<Command>> {
    let root = ["root", release.codename];
    let directory = release.root(workspace).display().to_string();
    let guest = ["guest", "--root", &directory, "--timeout", GUEST_TIMEOUT];
    let mut commands = IN_ROOT
        .iter()
        .map(|tests| tests.command(&root, together, workspace))
        .collect::<Result<Vec<_>>>()?;
    commands.push(IN_GUEST.command(&guest, together, workspace)?);
    // The libraries of a changing release may have other names than these.
    if !release.moves {
        let files: Vec<&str> = LIBRARIES.iter().flat_map(|library| ["--file", library]).collect();
        let guest = [&guest[..], &files].concat();
        commands.push(WITH_LIBRARIES.command(&guest, together, workspace)?);
    }
    Ok(commands)
}

/// Downloads the crates in a lock file, unless they are here: there is no network in a root.
fn fetch(manifest: &str, workspace: &Workspace) -> Command {
    let mut command = cargo::command();
    command.args(["fetch", "--locked", "--manifest-path"]).arg(workspace.root().join(manifest));
    command
}

/// The command that builds the tests with `release`, and runs them.
fn built(release: &Release, workspace: &Workspace) -> Result<Command> {
    let words = ["root", release.codename, "--build", "--", "cargo", "test", "--no-fail-fast"];
    suites::xtask(&[&words[..], &["--locked"], BUILT].concat(), workspace)
}

impl Tests {
    /// The command that has xtask's command `words` run the programs. If all suites run, they share
    /// one build.
    fn command(&self, words: &[&str], together: bool, workspace: &Workspace) -> Result<Command> {
        let mut command = suites::test_command(workspace);
        if together {
            command.args(suites::whole_workspace());
            command.arg("--config").arg(suites::chosen_runner(self.programs, words)?);
        } else {
            let packages = self.programs.iter().map(|(package, _)| package).chain(self.beside);
            command.args(packages.flat_map(|package| ["--package", package]));
            command.arg("--config").arg(suites::runner(words)?);
        }
        command.args(self.programs.iter().flat_map(|(_, name)| ["--test", name]));
        command.arg("--").args(self.names);
        Ok(command)
    }
}

/// Returns true if the README's table of systems contains the release with its C library.
fn is_named(release: &Release, libc: &str, readme: &str) -> bool {
    readme.contains(&format!("{} (glibc {libc})", release.name))
}

/// The numbers in a version, by which versions are compared.
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
