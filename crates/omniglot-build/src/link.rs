//! Which libraries the image needs, and where they are.

use std::path::PathBuf;

use crate::options::Options;
use crate::{Error, Result, paths};

/// Directories and libraries, from the builder and from pkg-config.
#[derive(Clone, Debug, Default)]
pub(crate) struct Link {
    pub(crate) includes: Vec<PathBuf>,
    pub(crate) defines: Vec<(String, String)>,
    pub(crate) searches: Vec<PathBuf>,
    pub(crate) libraries: Vec<String>,
    pub(crate) arguments: Vec<String>,
}

impl Link {
    /// Asks pkg-config for the packages and adds what the user named. Cargo is told which
    /// variables that depends on if it listens.
    pub(crate) fn new(options: &Options, cargo_listens: bool) -> Result<Self> {
        let mut link = Self {
            includes: options.includes.iter().map(|path| paths::in_package(path)).collect(),
            defines: options.defines.clone(),
            searches: options.link_searches.iter().map(|path| paths::in_package(path)).collect(),
            libraries: options.links.clone(),
            arguments: Vec::new(),
        };
        for package in &options.packages {
            link.add(probe(package, cargo_listens)?);
        }
        Ok(link)
    }

    fn add(&mut self, package: pkg_config::Library) {
        self.includes.extend(package.include_paths);
        self.searches.extend(package.link_paths);
        self.libraries.extend(package.libs);
        let files = package.link_files.iter().map(|file| file.display().to_string());
        self.arguments.extend(files);
        let defines = package.defines.into_iter();
        self.defines.extend(defines.map(|(name, value)| (name, value.unwrap_or_default())));
    }

    /// The linker's arguments: the host must not link the library, so these go to the
    /// image only.
    pub(crate) fn linker_arguments(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        for directory in self.searches.iter().filter(|directory| !paths::is_system(directory)) {
            arguments.push(format!("-L{}", directory.display()));
            arguments.push(format!("-Wl,-rpath,{}", directory.display()));
        }
        arguments.extend(self.arguments.iter().cloned());
        arguments.extend(self.libraries.iter().map(|library| format!("-l{library}")));
        arguments
    }
}

/// Asks pkg-config for one package, without telling cargo to link it.
fn probe(package: &str, cargo_listens: bool) -> Result<pkg_config::Library> {
    let mut config = pkg_config::Config::new();
    config.cargo_metadata(false).env_metadata(cargo_listens);
    config.probe(package).map_err(|error| match error {
        pkg_config::Error::Command { command, cause } => {
            Error::PkgConfigMissing { message: format!("{command}: {cause}") }
        }
        pkg_config::Error::Failure { output, .. }
        | pkg_config::Error::ProbeFailure { output, .. } => Error::PackageUnknown {
            package: package.to_owned(),
            message: String::from_utf8_lossy(&output.stderr).into_owned(),
        },
        other => Error::PackageUnknown { package: package.to_owned(), message: other.to_string() },
    })
}
