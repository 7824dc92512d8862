//! A small system for 64-bit Arm, of Debian's packages: what programs for it need to run in a guest.
//!
//! This machine's own apt does not know that architecture, and nothing about that is changed: the
//! packages come by a configuration, with lists of packages, that lie in the build directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};

use anyhow::{Context, Result, bail};

use super::apt::Privilege;
use super::machine::{Machine, list};
use super::mirror;
use crate::watch;
use crate::workspace::Workspace;

/// The variable that names apt's configuration (apt.conf(5)).
pub(super) const CONFIGURATION: &str = "APT_CONFIG";

/// The Rust target of its programs.
pub(crate) const TARGET: &str = "aarch64-unknown-linux-gnu";

/// The release, whose C library is newer than that of the compiler for it here.
const RELEASE: &str = "trixie";

/// The system's packages: C library, the compiler's, a shell, and the libraries of demo and
/// examples.
const PACKAGES: [&str; 7] = [
    "libc6",
    "libgcc-s1",
    "busybox-static",
    "zlib1g",
    "libpng16-16t64",
    "libexpat1",
    "libsqlite3-0",
];

/// Directories in those packages that nobody needs in a guest.
const NEEDLESS: [&str; 2] = ["usr/share", "usr/lib/aarch64-linux-gnu/gconv"];

/// Links of directories, as Debian's systems have them.
const LINKS: [(&str, &str); 3] = [("bin", "usr/bin"), ("lib", "usr/lib"), ("sbin", "usr/sbin")];

/// The path of apt's configuration for the architecture. Lists of packages are downloaded first if
/// necessary.
pub(super) fn apt_configuration(workspace: &Workspace) -> Result<PathBuf> {
    let directory = workspace.guest_directory().join("arm64");
    let configuration = directory.join("apt.conf");
    let lists = directory.join("lists");
    if configuration.is_file() && list(&lists).iter().any(|name| name.contains("_Packages")) {
        return Ok(configuration);
    }
    for part in ["lists/partial", "cache/archives/partial"] {
        let part = directory.join(part);
        fs::create_dir_all(&part)
            .with_context(|| format!("could not create {}", part.display()))?;
    }
    write(&directory.join("sources.list"), &sources(&mirror(workspace)?))?;
    write(&configuration, &configuration_in(&directory))?;
    let mut update = Command::new("apt-get");
    update.arg("update").env(CONFIGURATION, &configuration);
    watch::step("Downloading lists of packages", &mut update, &workspace.log("arm64-update"))?;
    Ok(configuration)
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("could not write {}", path.display()))
}

fn mirror(workspace: &Workspace) -> Result<String> {
    match Privilege::choose(&Machine::this(), false) {
        Some(privilege) => mirror::of_debian(privilege, workspace),
        None => mirror::known()?.context("this machine's apt is not configured for Debian"),
    }
}

fn sources(mirror: &str) -> String {
    let keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
    format!("deb [signed-by={keys}] {mirror} {RELEASE} main\n")
}

fn configuration_in(directory: &Path) -> String {
    let directory = directory.display();
    format!(
        "APT::Architecture \"arm64\";\n\
         APT::Architectures {{ \"arm64\"; }};\n\
         APT::Sandbox::User \"\";\n\
         Acquire::Languages \"none\";\n\
         Dir::State::Lists \"{directory}/lists\";\n\
         Dir::State::status \"/dev/null\";\n\
         Dir::Cache \"{directory}/cache\";\n\
         Dir::Etc::sourcelist \"{directory}/sources.list\";\n\
         Dir::Etc::sourceparts \"/dev/null\";\n"
    )
}

/// The root directory of the system, which is made first if necessary.
pub(crate) fn root(workspace: &Workspace) -> Result<PathBuf> {
    let root = workspace.guest_directory().join("arm64").join("root");
    if root.is_dir() {
        return Ok(root);
    }
    let configuration = apt_configuration(workspace)?;
    // An interrupted run must leave nothing that looks complete.
    let scratch = root.with_extension(process::id().to_string());
    let made = make(&scratch, &configuration, workspace).and_then(|()| {
        fs::rename(scratch.join("root"), &root)
            .with_context(|| format!("could not create {}", root.display()))
    });
    let _ = fs::remove_dir_all(&scratch);
    made.map(|()| root)
}

fn make(scratch: &Path, configuration: &Path, workspace: &Workspace) -> Result<()> {
    let (packages, root) = (scratch.join("packages"), scratch.join("root"));
    for directory in [&packages, &root] {
        fs::create_dir_all(directory)
            .with_context(|| format!("could not create {}", directory.display()))?;
    }
    let mut download = Command::new("apt-get");
    download.arg("download").args(PACKAGES).current_dir(&packages);
    download.env(CONFIGURATION, configuration);
    watch::step("Downloading arm64 packages", &mut download, &workspace.log("arm64-download"))?;
    for (link, target) in LINKS {
        fs::create_dir_all(root.join(target))?;
        std::os::unix::fs::symlink(target, root.join(link))?;
    }
    for package in list(&packages) {
        let mut unpack = Command::new("dpkg-deb");
        unpack.arg("--extract").arg(packages.join(&package)).arg(&root);
        watch::step("Unpacking arm64 packages", &mut unpack, &workspace.log("arm64-unpack"))?;
    }
    for directory in NEEDLESS {
        fs::remove_dir_all(root.join(directory))
            .with_context(|| format!("the packages have no {directory}"))?;
    }
    Ok(())
}

/// Has rustup download the target's standard library, unless it is there.
pub(crate) fn prepare_target() -> Result<()> {
    let has_target = || {
        let library = crate::riscv::sysroot()?.join("lib/rustlib").join(TARGET).join("lib");
        Some(fs::read_dir(library).ok()?.next().is_some())
    };
    if has_target() == Some(true) {
        return Ok(());
    }
    let mut add = Command::new("timeout");
    add.args(["240", "rustup", "target", "add", TARGET]);
    let _ = add.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if has_target() != Some(true) {
        bail!("Rust's standard library for {TARGET} is missing: rustup target add {TARGET}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{configuration_in, sources};

    #[test]
    fn only_debians_packages_for_the_architecture_are_known() {
        assert!(sources("http://mirror/debian/").contains(" http://mirror/debian/ trixie main"));
        let configuration = configuration_in("/a/b".as_ref());
        assert!(configuration.contains("Dir::State::Lists \"/a/b/lists\";\n"));
        assert!(configuration.contains("APT::Architecture \"arm64\";\n"));
    }
}
