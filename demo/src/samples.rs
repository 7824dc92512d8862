//! Third parties' pictures, from crates that serve as pinned archives.
//!
//! `data/Cargo.toml` names the crates, and `data/Cargo.lock` has their checksums, which cargo
//! verifies. None of their code is compiled, and none of their files is in this repository.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The manifest that names the crates.
const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/Cargo.toml");

/// A file in a crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The crate's name and version.
    pub origin: String,
    /// The file's path in the crate.
    pub name: PathBuf,
    /// Where it is on this machine.
    pub path: PathBuf,
}

/// Returns the demo's picture: a screenshot of 1500 × 939 pixels, much of it a photograph.
///
/// # Errors
/// If cargo cannot get the crate.
pub fn default_picture() -> Result<Sample> {
    let name = "vendor/basis_universal/contrib/previewers/win/preview.png";
    Package::find("basis-universal-sys")?.sample(Path::new(name))
}

/// Returns the PngSuite: a picture for every colour type, depth and interlacing.
///
/// # Errors
/// If cargo cannot get the crate.
pub fn png_suite() -> Result<Vec<Sample>> {
    let package = Package::find("libpng-src")?;
    let mut samples = package.pictures_in(Path::new("libpng/contrib/pngsuite"))?;
    samples.extend(package.pictures_in(Path::new("libpng/contrib/pngsuite/interlaced"))?);
    Ok(samples)
}

/// Returns files that once crashed PNG decoders.
///
/// # Errors
/// If cargo cannot get the crate.
pub fn crashers() -> Result<Vec<Sample>> {
    Package::find("libpng-src")?.pictures_in(Path::new("libpng/contrib/testpngs/crashers"))
}

/// Returns where a C library's sources are: `zlib` or `libpng`.
///
/// # Errors
/// If there is no such library, or cargo cannot get its crate.
pub fn sources(library: &str) -> Result<PathBuf> {
    let (name, directory) = match library {
        "zlib" => ("libz-sys", "src/zlib"),
        "libpng" => ("libpng-src", "libpng"),
        other => bail!("no crate is known for {other}"),
    };
    Ok(Package::find(name)?.root.join(directory))
}

/// A crate's unpacked files.
struct Package {
    origin: String,
    root: PathBuf,
}

impl Package {
    fn find(name: &str) -> Result<Self> {
        let metadata = metadata()?;
        let packages = metadata.get("packages").and_then(Value::as_array);
        let text = |package: &Value, key| package.get(key)?.as_str().map(str::to_owned);
        let found = packages.into_iter().flatten().find_map(|package| {
            let manifest = PathBuf::from(text(package, "manifest_path")?);
            let origin = format!("{name} {}", text(package, "version")?);
            let root = manifest.parent()?.to_owned();
            (text(package, "name")? == name).then_some(Self { origin, root })
        });
        found.with_context(|| format!("{MANIFEST} does not name the crate {name}"))
    }

    fn sample(&self, name: &Path) -> Result<Sample> {
        let path = self.root.join(name);
        if !path.is_file() {
            bail!("the crate {} lacks {}", self.origin, name.display());
        }
        Ok(Sample { origin: self.origin.clone(), name: name.to_owned(), path })
    }

    /// Lists the PNG files in one directory, sorted by name.
    fn pictures_in(&self, directory: &Path) -> Result<Vec<Sample>> {
        let path = self.root.join(directory);
        let entries = path.read_dir().with_context(|| format!("cannot read {}", path.display()))?;
        let mut names = Vec::new();
        for entry in entries {
            names.push(directory.join(entry?.file_name()));
        }
        names.retain(|name| name.extension().is_some_and(|extension| extension == "png"));
        names.sort();
        names.iter().map(|name| self.sample(name)).collect()
    }
}

/// Returns cargo's metadata of the crates. Cargo downloads them if they are missing.
fn metadata() -> Result<Value> {
    if !Path::new(MANIFEST).is_file() {
        bail!("{MANIFEST} is gone; run the demo from its source tree, or name a PNG file");
    }
    let metadata = ["metadata", "--format-version", "1", "--offline", "--locked"];
    let json = match cargo(&metadata) {
        Ok(json) => json,
        Err(_) => {
            cargo(&["fetch", "--locked"]).context(
                "cannot get the demo's picture; connect to the network, or name a PNG file",
            )?;
            cargo(&metadata)?
        }
    };
    serde_json::from_slice(&json).context("cannot read what cargo metadata says")
}

fn cargo(arguments: &[&str]) -> Result<Vec<u8>> {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(program)
        .args(arguments)
        .args(["--manifest-path", MANIFEST])
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        let messages = String::from_utf8_lossy(&output.stderr);
        let last = messages.trim_end().lines().last().unwrap_or("(no message)");
        bail!("cargo {} failed: {last}", arguments.join(" "));
    }
    Ok(output.stdout)
}
