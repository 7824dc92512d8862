//! Runs the core's tests under the compiler's sanitizers and in Miri, which detect undefined
//! behaviour.
//!
//! The core's tests use a runtime in memory, so no foreign code runs.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Error, Result, bail, ensure};

use crate::cargo;
use crate::cargo::HOST_TARGET;
use crate::workspace::Workspace;

/// The selected tests. One that iterates over all characters is left out, since it takes minutes
/// here.
const TESTS: [&str; 7] = [
    "--package=omniglot-core",
    "--lib",
    "--tests",
    "--no-fail-fast",
    "--",
    "--skip",
    "what_does_not_show_is_what_unicode_says",
];

/// A sanitizer: the name of its runtime, the compiler's flags, and its environment variable.
struct Sanitizer {
    name: &'static str,
    runtime: &'static str,
    flags: &'static str,
    settings: (&'static str, &'static str),
}

/// Tests leak on purpose. The layout of Rust structs is randomised in each build.
const ADDRESS: Sanitizer = Sanitizer {
    name: "address",
    runtime: "_rt.asan.a",
    flags: "-Zsanitizer=address -Zrandomize-layout",
    settings: ("ASAN_OPTIONS", "detect_leaks=0"),
};

/// The standard library is not instrumented. What is inlined from it here is.
const THREAD: Sanitizer = Sanitizer {
    name: "thread",
    runtime: "_rt.tsan.a",
    flags: "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer -Zrandomize-layout",
    settings: ("TSAN_OPTIONS", "suppressions=xtask/sanitizers/thread.supp"),
};

/// Strict provenance, and alignment that counts only if it is guaranteed.
const MIRI_FLAGS: &str =
    "-Zmiri-strict-provenance -Zmiri-symbolic-alignment-check -Zmiri-ignore-leaks";

impl Sanitizer {
    /// The tests, compiled with the sanitizer. The stable compiler's unstable options are enabled.
    fn command(&self, workspace: &Workspace) -> Command {
        let mut command = cargo::command();
        command.arg("test").arg("--locked").args(["--target", HOST_TARGET]).args(TESTS);
        command.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", self.flags);
        let (variable, value) = self.settings;
        let root = format!("suppressions={}/", workspace.root().display());
        command.env(variable, value.replace("suppressions=", &root));
        ready(command, workspace, self.name)
    }
}

/// A command whose output is parsed, with its own build directory.
fn ready(mut command: Command, workspace: &Workspace, name: &str) -> Command {
    command.env("CARGO_TARGET_DIR", workspace.root().join("target/checked").join(name));
    command.env("CARGO_TERM_COLOR", "never").env("CARGO_TERM_QUIET", "false");
    command.current_dir(workspace.root());
    command
}

/// The commands that run the tests under each sanitizer.
pub(crate) fn commands(workspace: &Workspace) -> Vec<Command> {
    [ADDRESS, THREAD].iter().map(|sanitizer| sanitizer.command(workspace)).collect()
}

/// The reason why the compiler has no sanitizers, if it has none.
pub(crate) fn obstacle() -> Option<Error> {
    find_runtimes().err()
}

fn find_runtimes() -> Result<()> {
    let mut rustc = Command::new("rustc");
    let output = rustc.args(["--print", "target-libdir", "--target", HOST_TARGET]).output();
    let output = output.context("could not ask rustc for its library directory")?;
    let directory = PathBuf::from(String::from_utf8(output.stdout)?.trim());
    let files: Vec<_> = fs::read_dir(&directory)
        .with_context(|| format!("could not read {}", directory.display()))?
        .filter_map(|file| file.ok()?.file_name().into_string().ok())
        .collect();
    for Sanitizer { name, runtime, .. } in [ADDRESS, THREAD] {
        let is_there = files.iter().any(|file| file.ends_with(runtime));
        ensure!(is_there, "rustc has no runtime of its {name} sanitizer (rustup's has)");
    }
    Ok(())
}

/// The command that runs the tests in Miri.
pub(crate) fn miri(workspace: &Workspace) -> Command {
    let mut command = nightly_miri();
    command.arg("test").args(TESTS).env("MIRIFLAGS", MIRI_FLAGS);
    ready(command, workspace, "miri")
}

/// The reason why Miri is not available, if it is not.
pub(crate) fn obstacle_to_miri() -> Option<Error> {
    find_miri().err()
}

fn find_miri() -> Result<()> {
    const INSTALL: &str = "rustup component add miri rust-src --toolchain nightly";
    let mut command = nightly_miri();
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        _ => bail!("the nightly toolchain has no Miri; `{INSTALL}` installs it"),
    }
}

/// Only the nightly toolchain has Miri, so the variables that select the current toolchain are
/// removed.
fn nightly_miri() -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "cargo", "miri"]);
    for variable in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "RUSTFLAGS"] {
        command.env_remove(variable);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::commands;
    use crate::workspace::Workspace;

    #[test]
    fn builds_do_not_share_a_directory() {
        let commands = commands(&Workspace::load().unwrap());
        let directories = commands.iter().map(|command| {
            let mut variables = command.get_envs();
            variables.find(|(name, _)| *name == "CARGO_TARGET_DIR").unwrap().1.unwrap()
        });
        let directories: std::collections::HashSet<_> = directories.collect();
        assert_eq!(directories.len(), commands.len());
    }
}
