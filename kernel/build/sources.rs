//! Finds the C sources: in crates that `sources/Cargo.toml` names and whose checksums cargo has
//! verified.

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The directories of the crates' files.
pub(crate) struct Sources {
    manifest: PathBuf,
    crates: BTreeMap<String, PathBuf>,
}

impl Sources {
    /// Asks cargo for the directories. Cargo fetches the crates that `manifest` names if they are
    /// missing.
    pub(crate) fn find(manifest: &Path) -> Result<Self, Box<dyn Error>> {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--format-version=1", "--locked", "--manifest-path"])
            .arg(manifest)
            .output()?;
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr);
            return Err(
                format!("cargo cannot get what {} names:\n{message}", manifest.display()).into()
            );
        }
        let metadata: Value = serde_json::from_slice(&output.stdout)?;
        let packages = metadata.get("packages").and_then(Value::as_array);
        let crates = packages.into_iter().flatten().filter_map(place).collect();
        Ok(Self { manifest: manifest.to_owned(), crates })
    }

    /// Returns the directory `path` in the crate `name`.
    pub(crate) fn directory(&self, name: &str, path: &str) -> Result<PathBuf, Box<dyn Error>> {
        let unknown = || format!("{} names no crate {name}", self.manifest.display());
        let root = self.crates.get(name).ok_or_else(unknown)?;
        let directory = root.join(path);
        if directory.is_dir() {
            return Ok(directory);
        }
        Err(format!("the crate {name} has no directory {path}").into())
    }
}

/// Returns a package's name and directory.
fn place(package: &Value) -> Option<(String, PathBuf)> {
    let text = |key| package.get(key)?.as_str();
    let root = Path::new(text("manifest_path")?).parent()?;
    Some((text("name")?.to_owned(), root.to_owned()))
}
