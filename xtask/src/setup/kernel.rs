//! The kernel that virtual machines start: Debian's for clouds, unpacked and not installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use anyhow::{Context, Result, bail};

use super::apt::{self, Way};
use super::machine::{Machine, list};
use super::vmlinux;
use crate::watch;
use crate::workspace::Workspace;

/// The first and the last words of the packages' names. 6.12 is the first kernel that delivers
/// signals to code which may not touch its own stack; those for clouds have all drivers that a
/// virtual machine needs built in.
const PACKAGE: (&str, &str) = ("linux-image-6.12.", "-cloud-amd64-unsigned");

/// The name of the file that is kept of a package.
const IMAGE: &str = "kernel";

/// What to do where Debian's kernel cannot be had.
const REMEDY: &str = "give a kernel with `cargo xtask guest --kernel FILE`: Linux 6.12 or newer for \
                      x86-64, with virtio's PCI, console and protection key support built in";

/// The kernel's image; it is fetched if that has not been done yet.
pub(crate) fn kernel(workspace: &Workspace) -> Result<PathBuf> {
    let kernels = workspace.guest_directory().join("kernels");
    match latest(&kernels) {
        Some(kernel) => Ok(kernel),
        None => fetch(&kernels, workspace).with_context(|| format!("there is no kernel; {REMEDY}")),
    }
}

fn latest(kernels: &Path) -> Option<PathBuf> {
    let names = list(kernels).into_iter();
    let names = names.filter(|name| kernels.join(name).join(IMAGE).is_file());
    names.max_by_key(|name| version(name)).map(|name| kernels.join(name).join(IMAGE))
}

/// The numbers in a package's name, which order the packages.
fn version(package: &str) -> Vec<u64> {
    let digits = |character: char| !character.is_ascii_digit();
    package.split(digits).filter_map(|number| number.parse().ok()).collect()
}

/// Downloads the newest package and keeps what is needed of it.
fn fetch(kernels: &Path, workspace: &Workspace) -> Result<PathBuf> {
    let package = available(workspace)?;
    // A run that is stopped half-way leaves nothing that looks complete.
    let scratch = kernels.with_extension(process::id().to_string());
    fs::create_dir_all(&scratch)
        .with_context(|| format!("could not create {}", scratch.display()))?;
    let outcome = unpack(&package, &scratch, workspace)
        .and_then(|image| Ok(vmlinux::unpack(&image, workspace)?.unwrap_or(image)))
        .and_then(|kernel| keep(&kernel, &kernels.join(&package)));
    // What is left of it goes when the target directory is cleaned.
    let _ = fs::remove_dir_all(&scratch);
    outcome
}

/// The name of the newest package that apt knows.
fn available(workspace: &Workspace) -> Result<String> {
    if let Some(package) = newest_known()? {
        return Ok(package);
    }
    let Some(way) = Way::choose(&Machine::this(), false) else {
        bail!("apt knows no package {}*{}; `apt-get update` may help", PACKAGE.0, PACKAGE.1);
    };
    apt::update(way, workspace)?;
    let unknown = || format!("this system has no package {}*{}", PACKAGE.0, PACKAGE.1);
    newest_known()?.with_context(unknown)
}

fn newest_known() -> Result<Option<String>> {
    let output = Command::new("apt-cache")
        .args(["pkgnames", PACKAGE.0])
        .output()
        .context("could not start apt-cache")?;
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    let fitting = names.lines().filter(|name| name.ends_with(PACKAGE.1));
    Ok(fitting.max_by_key(|name| version(name)).map(str::to_owned))
}

/// Downloads a package and unpacks it in `scratch`; returns where its kernel is.
fn unpack(package: &str, scratch: &Path, workspace: &Workspace) -> Result<PathBuf> {
    let mut download = Command::new("apt-get");
    download.args(["download", package]).current_dir(scratch);
    watch::step("Downloading a kernel", &mut download, &workspace.log("kernel-download"))?;
    let file = find(scratch, |name| name.ends_with(".deb"))?;
    let mut unpack = Command::new("dpkg-deb");
    unpack.arg("--extract").arg(&file).arg(scratch);
    watch::step("Unpacking the kernel", &mut unpack, &workspace.log("kernel-unpack"))?;
    find(&scratch.join("boot"), |name| name.starts_with("vmlinuz"))
}

fn find(directory: &Path, fits: impl Fn(&str) -> bool) -> Result<PathBuf> {
    let name = list(directory).into_iter().find(|name| fits(name));
    let name =
        name.with_context(|| format!("what was expected is not in {}", directory.display()))?;
    Ok(directory.join(name))
}

fn keep(image: &Path, place: &Path) -> Result<PathBuf> {
    fs::create_dir_all(place).with_context(|| format!("could not create {}", place.display()))?;
    let kept = place.join(IMAGE);
    fs::rename(image, &kept).with_context(|| format!("could not create {}", kept.display()))?;
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::{latest, version};
    use crate::testing::TempDir;

    #[test]
    fn versions_are_compared_as_numbers() {
        let old = version("linux-image-6.12.9+deb12-cloud-amd64-unsigned");
        let new = version("linux-image-6.12.107+deb12-cloud-amd64-unsigned");
        assert!(old < new, "{old:?} {new:?}");
    }

    #[test]
    fn the_newest_complete_kernel_is_taken() {
        let directory = TempDir::new();
        assert_eq!(latest(directory.path()), None);
        directory.touch("linux-image-6.12.9+deb12-cloud-amd64-unsigned/kernel");
        directory.touch("linux-image-6.12.57+deb12-cloud-amd64-unsigned/kernel");
        directory.touch("linux-image-6.12.107+deb12-cloud-amd64-unsigned/config");
        let kernel = latest(directory.path()).unwrap();
        assert!(kernel.ends_with("linux-image-6.12.57+deb12-cloud-amd64-unsigned/kernel"));
    }
}
