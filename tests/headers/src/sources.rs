//! Finds a header's directories and version.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::corpus::{Entry, Origin};

/// The manifest that pins the crates.
const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/Cargo.toml");

/// The place of a header on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The directories to search for headers.
    pub includes: Vec<PathBuf>,
    /// The library's name in the table.
    pub name: String,
    /// The version that the library declares.
    pub version: String,
}

impl Source {
    /// Returns the library with the version of exactly the headers in `files`, for the table.
    ///
    /// Distributions change headers without changing the library's own version. So this is the
    /// version of the package that installed the files, if a package did.
    #[must_use]
    pub fn edition<'a>(&self, files: impl IntoIterator<Item = &'a PathBuf>) -> String {
        let packaged = files.into_iter().next().and_then(|file| packaged_version(file));
        format!("{} {}", self.name, packaged.as_ref().unwrap_or(&self.version))
    }
}

/// Returns the version of the Debian package that installed `file`, if any.
fn packaged_version(file: &Path) -> Option<String> {
    let file = file.canonicalize().ok()?;
    let owners = output(Command::new("dpkg-query").arg("--search").arg(file)).ok()?;
    let owners = String::from_utf8(owners).ok()?;
    let (package, _) = owners.lines().next()?.split_once(": ")?;
    let show = ["--show", "--showformat=${Version}", package];
    let version = String::from_utf8(output(Command::new("dpkg-query").args(show)).ok()?).ok()?;
    (!version.is_empty()).then_some(version)
}

/// Finds the source of an entry.
///
/// # Errors
/// If it is not installed, or cargo cannot get its crate.
pub fn find(entry: &Entry) -> Result<Source> {
    match &entry.origin {
        Origin::Installed(package) => installed(package),
        Origin::Libc => libc(),
        Origin::Crate { name, directory } => pinned(name, directory),
    }
}

fn installed(package: &str) -> Result<Source> {
    let mut config = pkg_config::Config::new();
    let found = config.cargo_metadata(false).env_metadata(false).probe(package)?;
    let name = package.to_owned();
    Ok(Source { includes: found.include_paths, name, version: found.version })
}

fn libc() -> Result<Source> {
    let version = output(Command::new("getconf").arg("GNU_LIBC_VERSION"))?;
    let version = String::from_utf8_lossy(&version);
    let (name, version) =
        version.trim().split_once(' ').context("getconf names no version of the C library")?;
    Ok(Source { includes: Vec::new(), name: name.to_owned(), version: version.to_owned() })
}

fn pinned(name: &str, directory: &str) -> Result<Source> {
    let metadata = metadata()?;
    let packages = metadata.get("packages").and_then(Value::as_array);
    let text = |package: &Value, key| package.get(key)?.as_str().map(str::to_owned);
    let found = packages.into_iter().flatten().find_map(|package| {
        let manifest = PathBuf::from(text(package, "manifest_path")?);
        let include = manifest.parent()?.join(directory);
        let version = text(package, "version")?;
        let source = Source { includes: vec![include], name: name.to_owned(), version };
        (text(package, "name")? == name).then_some(source)
    });
    found.with_context(|| format!("{MANIFEST} does not name the crate {name}"))
}

/// Returns cargo's metadata of the pinned crates. Cargo downloads them if they are missing.
fn metadata() -> Result<Value> {
    let arguments = ["metadata", "--format-version", "1", "--offline", "--locked"];
    let json = match cargo(&arguments) {
        Ok(json) => json,
        Err(_) => {
            cargo(&["fetch", "--locked"]).context("cannot get the pinned headers")?;
            cargo(&arguments)?
        }
    };
    serde_json::from_slice(&json).context("cannot read what cargo metadata says")
}

fn cargo(arguments: &[&str]) -> Result<Vec<u8>> {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    output(Command::new(program).args(arguments).args(["--manifest-path", MANIFEST]))
}

fn output(command: &mut Command) -> Result<Vec<u8>> {
    let program = Path::new(command.get_program()).display().to_string();
    let output = command.output().with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        bail!("{program} failed: {}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(output.stdout)
}
