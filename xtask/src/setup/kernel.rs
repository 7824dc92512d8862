//! Provides the kernel for virtual machines: Debian's for clouds, unpacked but not installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use anyhow::{Context, Result};

use super::apt::{self, Privilege};
use super::arm64;
use super::machine::{Machine, list};
use super::vmlinux;
use crate::guest::arch::Arch;
use crate::watch;
use crate::workspace::Workspace;

/// The beginning of the packages' names; the kernel's version and the architecture follow.
const PACKAGE: &str = "linux-image-";

/// The preferred series of kernels. If Debian does not have it, a later one is used. It is the
/// first series that delivers signals to code that may not access its own stack.
const SERIES: [u64; 2] = [6, 12];

/// The name of the kept file in its directory.
const IMAGE: &str = "kernel";

/// The error if no package's name matches.
const NOT_KNOWN: &str = "apt has no kernel of Linux 6.12 or newer";

/// What to do if Debian's kernel is not available.
const REMEDY: &str = "give a kernel with `cargo xtask guest --kernel FILE`: Linux 6.12 or newer for \
                      x86-64, with virtio's PCI, console and protection key support built in";

/// Where kernels of an architecture come from, and where they are kept.
struct Source {
    /// The end of the packages' names. Kernels for clouds have all drivers for virtual machines
    /// built in; that with larger pages has the few that are needed.
    ending: &'static str,
    kernels: PathBuf,
    /// apt's configuration, if it is not this machine's.
    configuration: Option<PathBuf>,
}

/// The path of the kernel's image, which is downloaded first if necessary.
pub(crate) fn kernel(workspace: &Workspace, arch: Arch) -> Result<PathBuf> {
    let ending = match arch {
        Arch::X86_64 => "-cloud-amd64-unsigned",
        Arch::Aarch64 => "-cloud-arm64-unsigned",
        Arch::Aarch64Pages16k => "-arm64-16k-unsigned",
    };
    let kernels = workspace.guest_directory().join("kernels");
    if let Some(kernel) = latest(&kernels, ending) {
        return Ok(kernel);
    }
    let configuration =
        if arch.is_this() { None } else { Some(arm64::apt_configuration(workspace)?) };
    let source = Source { ending, kernels, configuration };
    source.fetch(workspace).with_context(|| format!("there is no kernel; {REMEDY}"))
}

fn latest(kernels: &Path, ending: &str) -> Option<PathBuf> {
    let names = list(kernels).into_iter().filter(|name| name.ends_with(ending));
    let names = names.filter(|name| kernels.join(name).join(IMAGE).is_file());
    names.max_by_key(|name| version(name)).map(|name| kernels.join(name).join(IMAGE))
}

/// The numbers in a package's name, by which packages are compared.
fn version(package: &str) -> Vec<u64> {
    let digits = |character: char| !character.is_ascii_digit();
    package.split(digits).filter_map(|number| number.parse().ok()).collect()
}

/// Chooses a package from `names`: the newest of the [`SERIES`], or else the newest of all.
fn best<'a>(names: impl Iterator<Item = &'a str>, ending: &str) -> Option<&'a str> {
    let is_kernel = |name: &&str| name.starts_with(PACKAGE) && name.ends_with(ending);
    let kernels = names.filter(is_kernel).filter(|name| version(name).as_slice() >= &SERIES[..]);
    kernels.max_by_key(|name| {
        let version = version(name);
        (version.starts_with(&SERIES), version)
    })
}

impl Source {
    /// Downloads the newest package's kernel, and returns its path.
    ///
    /// A mirror removes a package when a newer one replaces it. This machine's lists of packages
    /// may be out of date, so they are updated before this fails.
    fn fetch(&self, workspace: &Workspace) -> Result<PathBuf> {
        let known = self.newest_known()?.context(NOT_KNOWN);
        let fetched = known.and_then(|package| self.fetch_package(&package, workspace));
        let privilege = Privilege::choose(&Machine::this(), false);
        let (Err(error), Some(privilege), None) = (&fetched, privilege, &self.configuration) else {
            return fetched.context("`apt-get update` may help");
        };
        eprintln!("{error:#}: updating the lists of packages");
        apt::update(privilege, workspace)?;
        self.fetch_package(&self.newest_known()?.context(NOT_KNOWN)?, workspace)
    }

    /// Downloads a package, and keeps only the kernel.
    fn fetch_package(&self, package: &str, workspace: &Workspace) -> Result<PathBuf> {
        // An interrupted run must leave nothing that looks complete.
        let scratch = self.kernels.with_extension(process::id().to_string());
        fs::create_dir_all(&scratch)
            .with_context(|| format!("could not create {}", scratch.display()))?;
        let outcome = self
            .unpack(package, &scratch, workspace)
            .and_then(|image| Ok(vmlinux::unpack(&image, workspace)?.unwrap_or(image)))
            .and_then(|kernel| keep(&kernel, &self.kernels.join(package)));
        // Anything left is removed when the target directory is cleaned.
        let _ = fs::remove_dir_all(&scratch);
        outcome
    }

    fn newest_known(&self) -> Result<Option<String>> {
        let output = self
            .command("apt-cache")
            .args(["pkgnames", PACKAGE])
            .output()
            .context("could not start apt-cache")?;
        let names = String::from_utf8_lossy(&output.stdout);
        Ok(best(names.lines(), self.ending).map(str::to_owned))
    }

    /// Downloads a package and unpacks it in `scratch`. Returns the path of its kernel.
    fn unpack(&self, package: &str, scratch: &Path, workspace: &Workspace) -> Result<PathBuf> {
        let mut download = self.command("apt-get");
        download.args(["download", package]).current_dir(scratch);
        watch::step("Downloading a kernel", &mut download, &workspace.log("kernel-download"))?;
        let file = find(scratch, |name| name.ends_with(".deb"))?;
        let mut unpack = Command::new("dpkg-deb");
        unpack.arg("--extract").arg(&file).arg(scratch);
        watch::step("Unpacking the kernel", &mut unpack, &workspace.log("kernel-unpack"))?;
        find(&scratch.join("boot"), |name| name.starts_with("vmlinuz"))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.envs(self.configuration.iter().map(|path| (arm64::CONFIGURATION, path)));
        command
    }
}

fn find(directory: &Path, fits: impl Fn(&str) -> bool) -> Result<PathBuf> {
    let name = list(directory).into_iter().find(|name| fits(name));
    let name =
        name.with_context(|| format!("the expected file is not in {}", directory.display()))?;
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
    use super::{best, latest, version};
    use crate::testing::TempDir;

    const ENDING: &str = "-cloud-amd64-unsigned";

    #[test]
    fn versions_are_compared_as_numbers() {
        let old = version("linux-image-6.12.9+deb12-cloud-amd64-unsigned");
        let new = version("linux-image-6.12.107+deb12-cloud-amd64-unsigned");
        assert!(old < new, "{old:?} {new:?}");
    }

    #[test]
    fn the_newest_package_of_the_series_is_taken_or_else_the_newest() {
        let name = |version: &str| format!("linux-image-{version}-cloud-amd64-unsigned");
        let of = |versions: &[&str]| {
            let names: Vec<String> = versions.iter().map(|version| name(version)).collect();
            best(names.iter().map(String::as_str), ENDING).map(str::to_owned)
        };
        let all = ["6.1.0-44", "6.12.9+deb12", "6.12.107+deb12", "6.18.2+deb14"];
        assert_eq!(of(&all), Some(name("6.12.107+deb12")));
        assert_eq!(of(&["6.18.2+deb14", "7.0.1+deb14", "6.1.0-44"]), Some(name("7.0.1+deb14")));
        assert_eq!(of(&["6.1.0-44"]), None);
        assert_eq!(best(["linux-image-6.12.9+deb12-amd64-unsigned"].into_iter(), ENDING), None);
    }

    #[test]
    fn the_newest_complete_kernel_is_taken() {
        let directory = TempDir::new();
        assert_eq!(latest(directory.path(), ENDING), None);
        directory.touch("linux-image-6.12.9+deb12-cloud-amd64-unsigned/kernel");
        directory.touch("linux-image-6.12.57+deb12-cloud-amd64-unsigned/kernel");
        directory.touch("linux-image-6.12.107+deb12-cloud-amd64-unsigned/config");
        directory.touch("linux-image-6.12.107+deb12-cloud-arm64-unsigned/kernel");
        let kernel = latest(directory.path(), ENDING).unwrap();
        assert!(kernel.ends_with("linux-image-6.12.57+deb12-cloud-amd64-unsigned/kernel"));
    }
}
