//! What cargo knows about this workspace.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::cargo;

/// The workspace that xtask was started in.
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
    /// The registries that it may be published in; without a list, all.
    pub(crate) publish: Option<Vec<String>>,
}

impl Workspace {
    /// Asks cargo. This neither builds anything nor uses the network.
    pub(crate) fn load() -> Result<Self> {
        let output = cargo::command()
            .args(["metadata", "--no-deps", "--format-version=1"])
            .output()
            .context("could not start cargo")?;
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr);
            bail!("`cargo metadata` failed:\n{}", message.trim_end());
        }
        serde_json::from_slice(&output.stdout).context("could not read what `cargo metadata` says")
    }

    /// The directory that holds the workspace's `Cargo.toml`.
    pub(crate) fn root(&self) -> &Path {
        &self.workspace_root
    }

    /// Where what is built under `name`, apart from the ordinary builds, belongs.
    pub(crate) fn target(&self, name: &str) -> PathBuf {
        self.target_directory.join(name)
    }

    /// Where the log called `name` belongs.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.target_directory.join("xtask").join(format!("{name}.log"))
    }

    /// Where `file` is, which begins with `target/` if it is something that was built for tests.
    ///
    /// The name of a shared library, which is no path, is left as it is.
    pub(crate) fn place(&self, file: &str) -> PathBuf {
        match file.strip_prefix("target/") {
            Some(built) => self.target_directory.join("debug").join(built),
            None if file.contains('/') => self.workspace_root.join(file),
            None => PathBuf::from(file),
        }
    }

    /// Where what virtual machines need is kept.
    pub(crate) fn guest_directory(&self) -> PathBuf {
        self.target_directory.join("xtask").join("guest")
    }

    /// Where the root directories of other systems are kept.
    pub(crate) fn roots_directory(&self) -> PathBuf {
        self.target_directory.join("xtask").join("roots")
    }

    /// Where everything is that is built.
    pub(crate) fn target_directory(&self) -> &Path {
        &self.target_directory
    }

    /// The members that are published.
    pub(crate) fn published(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| package.publish.as_ref().is_none_or(|list| !list.is_empty()))
    }

    /// Whether the workspace has a member called `package`.
    pub(crate) fn has(&self, package: &str) -> bool {
        self.packages.iter().any(|member| member.name == package)
    }
}
