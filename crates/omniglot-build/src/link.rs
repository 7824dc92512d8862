//! Which libraries the image needs, and where they are.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::options::Options;
use crate::paths;

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
        Self::of(options, |package| probe(package, cargo_listens, Way::Shared))
    }

    /// The same for static archives, which do not say which others they need; pkg-config does.
    /// Where it does not know all of those, they may not be needed.
    #[cfg(feature = "sandbox")]
    pub(crate) fn of_archives(options: &Options) -> Result<Self> {
        Self::of(options, |package| {
            probe(package, false, Way::Static).or_else(|_| probe(package, false, Way::Shared))
        })
    }

    fn of(options: &Options, probe: impl Fn(&str) -> Result<pkg_config::Library>) -> Result<Self> {
        let mut link = Self {
            includes: options.includes.iter().map(|path| paths::in_package(path)).collect(),
            defines: options.defines.clone(),
            searches: options.link_searches.iter().map(|path| paths::in_package(path)).collect(),
            libraries: options.links.clone(),
            arguments: Vec::new(),
        };
        for package in &options.packages {
            link.add(probe(package)?);
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

/// How a library is linked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Shared,
    #[cfg(feature = "sandbox")]
    Static,
}

/// Asks pkg-config for one package, without telling cargo to link it.
fn probe(package: &str, cargo_listens: bool, way: Way) -> Result<pkg_config::Library> {
    let mut config = pkg_config::Config::new();
    config.cargo_metadata(false).env_metadata(cargo_listens).statik(way != Way::Shared);
    config.probe(package).map_err(|error| match error {
        pkg_config::Error::Command { command, cause } => {
            Error::PkgConfigMissing { message: format!("{command}: {cause}") }
        }
        pkg_config::Error::Failure { output, .. }
        | pkg_config::Error::ProbeFailure { output, .. } => Error::PackageUnknown {
            package: package.to_owned(),
            message: with_similar(package, &String::from_utf8_lossy(&output.stderr)),
        },
        other => Error::PackageUnknown { package: package.to_owned(), message: other.to_string() },
    })
}

/// What pkg-config said, and which of the packages that it knows have a name like this one.
fn with_similar(package: &str, said: &str) -> String {
    let listed = std::process::Command::new("pkg-config").arg("--list-all").output();
    let listed = listed.map(|output| output.stdout).unwrap_or_default();
    let similar = similar(package, &String::from_utf8_lossy(&listed)).join(", ");
    let said = said.trim();
    if similar.is_empty() {
        return said.to_owned();
    }
    format!("{said}\nIt knows names like it: {similar}")
}

/// Returns the first few names in a list, one a line, that contain the package's name or are
/// contained in it. The prefix `lib` and versions do not count.
fn similar(package: &str, list: &str) -> Vec<String> {
    const MOST: usize = 5;
    const SHORTEST: usize = 2;
    let wanted = core_of(package);
    let names = list.lines().filter_map(|line| line.split_whitespace().next());
    let is_similar = |name: &&str| {
        let known = core_of(name);
        wanted.len().min(known.len()) >= SHORTEST
            && (known.contains(&wanted) || wanted.contains(&known))
    };
    let mut similar: Vec<&str> = names.filter(is_similar).collect();
    similar.sort_by_key(|name| (core_of(name).len().abs_diff(wanted.len()), *name));
    similar.into_iter().take(MOST).map(str::to_owned).collect()
}

/// A package's name without what differs from system to system.
fn core_of(package: &str) -> String {
    let name = package.to_lowercase();
    let name = name.strip_prefix("lib").unwrap_or(&name);
    let name = name.strip_suffix("-dev").unwrap_or(name);
    name.trim_end_matches(|c: char| c.is_ascii_digit() || ".-_".contains(c)).to_owned()
}

#[cfg(test)]
mod tests {
    use super::similar;

    const LIST: &str = "libpng16   libpng - Loads and saves PNG files\n\
                        libpng     libpng - Loads and saves PNG files\n\
                        sqlite3    SQLite - SQL database engine\n\
                        zlib       zlib - zlib compression library\n";

    #[test]
    fn similar_names_are_those_of_the_same_library() {
        assert_eq!(similar("png", LIST), ["libpng", "libpng16"]);
        assert_eq!(similar("sqlite", LIST), ["sqlite3"]);
        assert_eq!(similar("zlib1g-dev", LIST), ["zlib"]);
        assert_eq!(similar("no-such-package", LIST), [""; 0]);
        assert_eq!(similar("", LIST), [""; 0]);
    }
}
