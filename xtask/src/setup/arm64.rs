//! A small system for 64-bit Arm, of Debian's packages: what programs for it need to run in a guest.
//!
//! This machine's own apt does not know that architecture, and nothing about that is changed: the
//! packages come by a configuration, with lists of packages, that lie in the build directory.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use anyhow::{Context, Result};

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

/// What demo and examples are built with: the libraries' headers, and the libraries, which links
/// without a version lead to. The C library and its headers are those of the compiler.
const DEVELOPMENT: [&str; 8] = [
    "zlib1g",
    "zlib1g-dev",
    "libpng16-16t64",
    "libpng-dev",
    "libexpat1",
    "libexpat1-dev",
    "libsqlite3-0",
    "libsqlite3-dev",
];

/// The directory of the architecture's libraries in a root directory.
const LIBRARIES: &str = "usr/lib/aarch64-linux-gnu";

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
    directory_of(&PACKAGES, "root", workspace, |root| {
        for directory in NEEDLESS {
            fs::remove_dir_all(root.join(directory))
                .with_context(|| format!("the packages have no {directory}"))?;
        }
        Ok(())
    })
}

/// What a build for the architecture needs in its environment, so that pkg-config finds the
/// libraries' development packages. They are downloaded first if necessary.
pub(crate) fn build_environment(workspace: &Workspace) -> Result<Vec<(String, PathBuf)>> {
    let root = directory_of(&DEVELOPMENT, "development", workspace, |_| Ok(()))?;
    let of_target = |name: &str| format!("{name}_{}", TARGET.replace('-', "_"));
    // The linker looks for what a library needs in the compiler's own directories only.
    let libraries = root.join(LIBRARIES);
    let linker = root.with_file_name("linker");
    let text =
        format!("exec aarch64-linux-gnu-gcc \"$@\" '-Wl,-rpath-link,{}'", libraries.display());
    write_script(&linker, &text)?;
    Ok(vec![
        ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER".to_owned(), linker),
        (of_target("PKG_CONFIG_LIBDIR"), libraries.join("pkgconfig")),
        (of_target("PKG_CONFIG_SYSROOT_DIR"), root),
    ])
}

/// Writes a script of a shell that everybody may execute.
pub(crate) fn write_script(path: &Path, text: &str) -> Result<()> {
    write(path, &format!("#!/bin/sh\n{text}\n"))?;
    fs::set_permissions(path, Permissions::from_mode(0o755))
        .with_context(|| format!("could not make {} executable", path.display()))
}

/// The directory called `name` with the contents of `packages`, which is made first if necessary,
/// and finished by `finish`.
fn directory_of(
    packages: &[&str],
    name: &str,
    workspace: &Workspace,
    finish: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let root = workspace.guest_directory().join("arm64").join(name);
    if root.is_dir() {
        return Ok(root);
    }
    let configuration = apt_configuration(workspace)?;
    // An interrupted run must leave nothing that looks complete.
    let scratch = root.with_extension(process::id().to_string());
    let made = make(packages, &scratch, &configuration, workspace)
        .and_then(|()| finish(&scratch.join("root")))
        .and_then(|()| {
            fs::rename(scratch.join("root"), &root)
                .with_context(|| format!("could not create {}", root.display()))
        });
    let _ = fs::remove_dir_all(&scratch);
    made.map(|()| root)
}

fn make(names: &[&str], scratch: &Path, configuration: &Path, workspace: &Workspace) -> Result<()> {
    let (packages, root) = (scratch.join("packages"), scratch.join("root"));
    for directory in [&packages, &root] {
        fs::create_dir_all(directory)
            .with_context(|| format!("could not create {}", directory.display()))?;
    }
    let mut download = Command::new("apt-get");
    download.arg("download").args(names).current_dir(&packages);
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
