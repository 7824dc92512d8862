//! Information about this workspace from cargo.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::cargo;

/// The workspace in which xtask was started.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    workspace_root: PathBuf,
    target_directory: PathBuf,
    packages: Vec<Package>,
}

/// A member of the workspace.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) documentation: Option<String>,
    pub(crate) license: Option<String>,
    pub(crate) rust_version: Option<String>,
    pub(crate) keywords: Vec<String>,
    pub(crate) categories: Vec<String>,
    /// The registries in which it may be published. `None` means all.
    pub(crate) publish: Option<Vec<String>>,
}

impl Workspace {
    /// Asks cargo for the metadata. This builds nothing, and uses no network.
    pub(crate) fn load() -> Result<Self> {
        let output = cargo::command()
            .args(["metadata", "--no-deps", "--format-version=1"])
            .output()
            .context("could not start cargo")?;
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr);
            bail!("`cargo metadata` failed:\n{}", message.trim_end());
        }
        serde_json::from_slice(&output.stdout)
            .context("could not parse the output of `cargo metadata`")
    }

    /// The directory with the workspace's `Cargo.toml`.
    pub(crate) fn root(&self) -> &Path {
        &self.workspace_root
    }

    /// The directory for build outputs under `name`, apart from the ordinary ones.
    pub(crate) fn target(&self, name: &str) -> PathBuf {
        self.target_directory.join(name)
    }

    /// The path of the log called `name`.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.target_directory.join("xtask").join(format!("{name}.log"))
    }

    /// The path of `file`, which starts with `target/` if it was built for tests.
    ///
    /// The name of a shared library, which is not a path, is returned unchanged.
    pub(crate) fn place(&self, file: &str) -> PathBuf {
        match file.strip_prefix("target/") {
            Some(built) => self.target_directory.join("debug").join(built),
            None if file.contains('/') => self.workspace_root.join(file),
            None => PathBuf::from(file),
        }
    }

    /// The directory for files of virtual machines.
    pub(crate) fn guest_directory(&self) -> PathBuf {
        self.target_directory.join("xtask").join("guest")
    }

    /// The directory for root directories of other systems.
    pub(crate) fn roots_directory(&self) -> PathBuf {
        self.target_directory.join("xtask").join("roots")
    }

    /// The directory for all build outputs.
    pub(crate) fn target_directory(&self) -> &Path {
        &self.target_directory
    }

    /// The members that are published.
    pub(crate) fn published(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| package.publish.as_ref().is_none_or(|list| !list.is_empty()))
    }

    /// Returns true if the workspace has a member called `package`.
    pub(crate) fn has(&self, package: &str) -> bool {
        self.packages.iter().any(|member| member.name == package)
    }
}
