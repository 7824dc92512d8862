//! The Rust toolchain that builds for RISC-V.
//!
//! rustup's toolchain is used if it has the target or can download it. Otherwise Debian's newest
//! Rust compiler builds the standard library's `core` from source, since its packages contain only
//! the machine's own target.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::cargo;
use crate::watch;
use crate::workspace::Workspace;

/// The target's name: 32 bits, with multiplication, atomics and compressed instructions.
pub(crate) const TARGET: &str = "riscv32imac-unknown-none-elf";

/// The environment variable that chooses the toolchain if both are available: `rustup` or `debian`.
const CHOICE: &str = "OMNIGLOT_RISCV_TOOLCHAIN";

/// Debian's Rust compiler, package rustc-web.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
/// Debian's cargo for that compiler, package cargo-web.
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
/// Debian's linker for programs of any architecture, package lld-19.
const DEBIAN_LINKER: &str = "ld.lld-19";

/// A toolchain that builds for RISC-V.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The toolchain that xtask was started with, which has the target.
    Rustup,
    /// Debian's toolchain, which also builds the standard library.
    Debian,
}

impl Toolchain {
    /// Chooses the toolchain. Set-up has checked that there is one.
    pub(crate) fn find() -> Result<Self> {
        match env::var(CHOICE).as_deref() {
            Ok("rustup") => Ok(Self::Rustup),
            Ok("debian") => Ok(Self::Debian),
            Ok(other) => bail!("{CHOICE} is `{other}`; it can be `rustup` or `debian`"),
            Err(_) if sysroot().is_some_and(|sysroot| has_target(&sysroot)) => Ok(Self::Rustup),
            Err(_) => Ok(Self::Debian),
        }
    }

    /// Builds the program of the package in `directory` in release mode, with further flags for
    /// the compiler if there are any, and returns its path.
    pub(crate) fn build(
        self,
        workspace: &Workspace,
        directory: &Path,
        flags: &str,
    ) -> Result<PathBuf> {
        let manifest = workspace.root().join(directory).join("Cargo.toml");
        let name = package_name(&manifest)?;
        let mut command = self.cargo(workspace, "build");
        command.args(["--release", "--locked", "--bin", &name]);
        command.arg("--manifest-path").arg(&manifest);
        if !flags.is_empty() {
            // For the target only, so that what runs here is not compiled again.
            command.env("CARGO_TARGET_RISCV32IMAC_UNKNOWN_NONE_ELF_RUSTFLAGS", flags);
        }
        watch::step(&format!("Building {name}"), &mut command, &workspace.log(&name))?;
        Ok(self.output(workspace).join(TARGET).join("release").join(name))
    }

    /// A cargo command that does `what` for the target, with its own output directory.
    pub(crate) fn cargo(self, workspace: &Workspace, what: &str) -> Command {
        let mut command = match self {
            Self::Rustup => cargo::command(),
            Self::Debian => debian_cargo(),
        };
        command.args([what, "--target", TARGET]);
        if self == Self::Debian {
            command.args(["-Zbuild-std=core,alloc,compiler_builtins"]);
            command.arg("-Zbuild-std-features=compiler-builtins-mem");
        }
        command.arg("--target-dir").arg(self.output(workspace));
        // Removes flags for the ordinary build, such as those of a coverage run.
        command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        command.current_dir(workspace.root());
        command
    }

    /// The output directory. The toolchains have different ones, since each would discard the
    /// other's work.
    fn output(self, workspace: &Workspace) -> PathBuf {
        workspace.target(match self {
            Self::Rustup => "riscv",
            Self::Debian => "riscv-debian",
        })
    }
}

/// Debian's cargo with Debian's compiler, whatever rustup has set in the environment.
fn debian_cargo() -> Command {
    let mut command = Command::new(DEBIAN_CARGO);
    command.env("RUSTC", DEBIAN_RUSTC).env("RUSTDOC", "/usr/bin/rustdoc");
    // Building the standard library is not stable yet.
    command.env("RUSTC_BOOTSTRAP", "1");
    command.env("CARGO_TARGET_RISCV32IMAC_UNKNOWN_NONE_ELF_LINKER", DEBIAN_LINKER);
    for variable in ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTC_WRAPPER", "LD_LIBRARY_PATH"] {
        command.env_remove(variable);
    }
    command
}

/// The directory in which the current toolchain keeps the libraries of its targets.
pub(crate) fn sysroot() -> Option<PathBuf> {
    let cargo = PathBuf::from(env::var_os("CARGO")?);
    cargo.parent()?.parent().map(Path::to_owned)
}

/// Returns true if the toolchain in `sysroot` has the target.
pub(crate) fn has_target(sysroot: &Path) -> bool {
    let library = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    fs::read_dir(library).is_ok_and(|mut files| files.next().is_some())
}

/// Makes rustup download the target for the current toolchain, unless it is installed.
///
/// A failure is no error: there may be no rustup, no network, or no such target to download.
pub(crate) fn add_target() {
    let wanted = sysroot().is_some_and(|sysroot| !has_target(&sysroot));
    if !wanted || env::var(CHOICE).as_deref() == Ok("debian") {
        return;
    }
    let mut command = Command::new("timeout");
    command.args(["120", "rustup", "target", "add", TARGET]);
    let _ = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
}

/// The name of the package with this manifest.
fn package_name(manifest: &Path) -> Result<String> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        manifest_path: PathBuf,
    }
    let output = cargo::command()
        .args(["metadata", "--no-deps", "--format-version=1", "--manifest-path"])
        .arg(manifest)
        .output()
        .context("could not start cargo")?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        bail!("could not read {}:\n{}", manifest.display(), message.trim_end());
    }
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("could not read what cargo says")?;
    let mut packages = metadata.packages.into_iter();
    let package = packages.find(|package| package.manifest_path == manifest);
    package
        .map(|package| package.name)
        .with_context(|| format!("{} has no package", manifest.display()))
}

#[cfg(test)]
mod tests {
    use super::{TARGET, has_target};
    use crate::testing::TempDir;

    #[test]
    fn a_target_is_there_if_its_libraries_are() {
        let sysroot = TempDir::new();
        assert!(!has_target(sysroot.path()));
        sysroot.touch(&format!("lib/rustlib/{TARGET}/lib/libcore.rlib"));
        assert!(has_target(sysroot.path()));
    }
}
