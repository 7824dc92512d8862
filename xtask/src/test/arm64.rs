//! The suite `aarch64`: builds tests of other suites for 64-bit Arm, and runs them in a guest.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::extent::Extent;
use super::suites::{INSIDE_TIMEOUT, runner_of, test_command, words_of_runner};
use crate::cargo;
use crate::setup;
use crate::workspace::Workspace;

/// The guest with the usual size of pages.
const GUEST: &str = "aarch64";

/// Test programs of a package.
#[derive(Debug)]
pub(super) struct Arm64 {
    pub(super) package: &'static str,
    pub(super) targets: &'static [&'static str],
    /// The guest's architecture as on the command line, which decides the size of pages.
    pub(super) guest: &'static str,
    /// The files that they need besides their libraries: paths relative to the workspace's root, or,
    /// if they start with `target/`, to the build directory of the architecture.
    pub(super) files: &'static [&'static str],
    /// Tests that are left out: calls that take longer in an emulator than their program allows.
    pub(super) too_long: &'static [&'static str],
    /// Whether they ask cargo where the demo's pictures are.
    pub(super) has_pictures: bool,
    /// Whether they also run where their suite is not named.
    pub(super) always: bool,
}

impl Arm64 {
    /// Programs that need no files, and run only where their suite is named.
    pub(super) const fn new(package: &'static str, targets: &'static [&'static str]) -> Self {
        Self {
            package,
            targets,
            guest: GUEST,
            files: &[],
            too_long: &[],
            has_pictures: false,
            always: false,
        }
    }

    fn command(&self, workspace: &Workspace) -> Result<Command> {
        let mut guest: Vec<String> =
            ["guest", "--arch", self.guest, "--timeout", INSIDE_TIMEOUT].map(str::to_owned).into();
        let files = self.files.iter().map(|file| place(file, workspace));
        guest.extend(files.map(|file| format!("--file={}", file.display())));
        if self.has_pictures {
            guest.extend(pictures(workspace)?);
        }
        let guest: Vec<&str> = guest.iter().map(String::as_str).collect();
        let mut command = test_command(workspace);
        command.args(["--target", setup::ARM64_TARGET]);
        command.arg("--config").arg(runner_of(setup::ARM64_TARGET, &guest)?);
        command.args(["--package", self.package]);
        command.args(self.targets.iter().flat_map(|target| ["--test", target]));
        command.arg("--").args(self.too_long.iter().flat_map(|name| ["--skip", name]));
        command.envs(setup::arm64_build_environment(workspace)?);
        Ok(command)
    }
}

/// The commands that build and run `tests`: one for each package, since cargo looks for a test's name
/// in all packages of a command.
pub(super) fn commands(
    tests: &[Arm64],
    extent: Extent,
    workspace: &Workspace,
) -> Result<Vec<Command>> {
    let wanted = tests.iter().filter(|test| test.always || extent.thorough);
    let mut commands = wanted.map(|test| test.command(workspace)).collect::<Result<Vec<_>>>()?;
    if extent.thorough {
        commands.push(readme(workspace)?);
    }
    Ok(commands)
}

/// The command that builds the README's example here, as a user would for the other machine, and
/// runs it in a guest.
fn readme(workspace: &Workspace) -> Result<Command> {
    let guest = ["guest", "--arch", GUEST, "--timeout", INSIDE_TIMEOUT];
    let runner = words_of_runner(&guest)?.join("\n");
    let mut command = test_command(workspace);
    command.args(["--package", "omniglot-readme", "--test", "crates", "--", "the_readmes_example"]);
    command.env("OMNIGLOT_README_TARGET", setup::ARM64_TARGET);
    command.env("OMNIGLOT_README_RUNNER", runner);
    command.envs(setup::arm64_build_environment(workspace)?);
    Ok(command)
}

fn place(file: &str, workspace: &Workspace) -> PathBuf {
    match file.strip_prefix("target/") {
        Some(built) => workspace.target(setup::ARM64_TARGET).join("debug").join(built),
        None => workspace.root().join(file),
    }
}

/// The crates with the demo's pictures.
const PICTURES: &str = "demo/data/Cargo.toml";

/// The guest's options by which the demo finds its pictures. It asks cargo where their crates are, and
/// in the guest a script gives the answer that cargo gives here.
fn pictures(workspace: &Workspace) -> Result<Vec<String>> {
    let manifest = workspace.root().join(PICTURES);
    let ask = |arguments: &[&str]| answer(cargo::command().args(arguments), &manifest);
    ask(&["fetch", "--locked"])?;
    let answer = ask(&["metadata", "--format-version=1", "--offline", "--locked"])?;
    let directory = workspace.guest_directory().join("arm64").join("cargo");
    fs::create_dir_all(&directory)
        .with_context(|| format!("could not create {}", directory.display()))?;
    let (script, said) = (directory.join("cargo"), directory.join("metadata.json"));
    fs::write(&said, &answer).with_context(|| format!("could not write {}", said.display()))?;
    setup::write_script(&script, "exec cat \"${0%/*}/metadata.json\"")?;
    let mut options = vec![format!("--env=CARGO={}", script.display())];
    let crates = directories(&answer, &manifest)?;
    let files = crates.iter().chain([&directory]);
    options.extend(files.map(|file| format!("--file={}", file.display())));
    Ok(options)
}

fn answer(command: &mut Command, manifest: &Path) -> Result<Vec<u8>> {
    let output = command.arg("--manifest-path").arg(manifest).output();
    let output = output.context("could not start cargo")?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        bail!("cargo could not get the demo's pictures:\n{}", message.trim_end());
    }
    Ok(output.stdout)
}

/// The packages in cargo's answer.
#[derive(serde::Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// One of them.
#[derive(serde::Deserialize)]
struct Package {
    manifest_path: PathBuf,
}

/// The directories of the crates that `manifest` names, in cargo's answer.
fn directories(answer: &[u8], manifest: &Path) -> Result<Vec<PathBuf>> {
    let metadata: Metadata =
        serde_json::from_slice(answer).context("could not parse what cargo said")?;
    let manifests = metadata.packages.into_iter().map(|package| package.manifest_path);
    let others = manifests.filter(|path| path != manifest);
    Ok(others.filter_map(|path| path.parent().map(Path::to_owned)).collect())
}
