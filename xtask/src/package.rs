//! `cargo xtask package`: creates the archives for crates.io, and builds each of them.
//!
//! Cargo builds each crate from its archive. The crates that it depends on come from their
//! archives, too, in a local registry. So a file that is missing from an archive or a wrong order
//! is an error here.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::cargo;
use crate::workspace::{Package, Workspace};

/// Files that every archive must contain.
const FILES: [&str; 3] = ["LICENSE-APACHE", "LICENSE-MIT", "README.md"];

/// Checks the metadata of each published crate, packs all of them, and builds the archives.
pub(crate) fn run(allow_dirty: bool) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let mut problems = Vec::new();
    for package in workspace.published() {
        let files = files(&workspace, &package.name)?;
        let lacking = missing_facts(package).into_iter().chain(missing_files(&files));
        problems.extend(lacking.map(|what| format!("{} has no {what}", package.name)));
    }
    if !problems.is_empty() {
        bail!("{}", problems.join("\n"));
    }
    let mut command = cargo::command();
    command.args(["package", "--locked"]).current_dir(workspace.root());
    command.arg("--target-dir").arg(workspace.target("xtask").join("package"));
    command.args(workspace.published().flat_map(|package| ["--package", &package.name]));
    if allow_dirty {
        command.arg("--allow-dirty");
    }
    let status = command.status().context("could not start cargo")?;
    Ok(cargo::exit_code(status))
}

/// The files that a crate's archive would contain.
fn files(workspace: &Workspace, package: &str) -> Result<String> {
    let output = cargo::command()
        .args(["package", "--list", "--allow-dirty", "--package", package])
        .current_dir(workspace.root())
        .output()
        .context("could not start cargo")?;
    if !output.status.success() {
        bail!("{package}: {}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn missing_files(files: &str) -> Vec<&'static str> {
    FILES.into_iter().filter(|file| files.lines().all(|line| line != *file)).collect()
}

/// The fields that crates.io and docs.rs show and that are missing.
fn missing_facts(package: &Package) -> Vec<&'static str> {
    let facts = [
        ("description", package.description.is_some()),
        ("documentation", package.documentation.is_some()),
        ("license", package.license.is_some()),
        ("rust-version", package.rust_version.is_some()),
        ("keywords", !package.keywords.is_empty()),
        ("categories", !package.categories.is_empty()),
    ];
    facts.into_iter().filter(|(_, is_there)| !is_there).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::{missing_facts, missing_files};
    use crate::workspace::{Package, Workspace};

    #[test]
    fn what_is_missing_is_named() {
        let package = Package { description: Some("text".to_owned()), ..Package::default() };
        let missing = ["documentation", "license", "rust-version", "keywords", "categories"];
        assert_eq!(missing_facts(&package), missing);
        assert_eq!(missing_files("LICENSE-MIT\nsrc/README.md\n"), ["LICENSE-APACHE", "README.md"]);
    }

    #[test]
    fn every_published_crate_says_what_it_is() {
        let workspace = Workspace::load().unwrap();
        let published: Vec<_> = workspace.published().map(|package| &*package.name).collect();
        assert!(published.contains(&"omniglot") && !published.contains(&"xtask"), "{published:?}");
        for package in workspace.published() {
            assert_eq!(missing_facts(package), [""; 0], "{}", package.name);
        }
    }
}
