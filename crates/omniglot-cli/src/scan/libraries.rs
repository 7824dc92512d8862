//! Finds a library's dependencies as the dynamic linker does (ld.so(8)).

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::facts::Facts;
use crate::arguments::Scan;
use crate::failure::Failure;

/// The dependency of the worker's loader, which every library gets.
const ALWAYS: &str = "libc.so.6";

/// The directories that the dynamic linker searches last.
const DIRECTORIES: [&str; 6] = [
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
];

/// A library and its direct and indirect dependencies.
pub(super) struct Libraries {
    /// The library itself is the first element.
    pub(super) found: Vec<Facts>,
    /// Names for which no file was found, each with the name of a library that needs it.
    pub(super) missing: Vec<(String, String)>,
}

impl Libraries {
    /// Reads the library and all its dependencies.
    pub(super) fn of(arguments: &Scan) -> Result<Self, Failure> {
        let first = Facts::read(&arguments.file)?;
        let mut seen = HashSet::from([first.name.clone()]);
        let search = Search { directories: &arguments.library_directory, index: index() };
        let mut libraries = Self { found: vec![first], missing: Vec::new() };
        let mut next = 0;
        while let Some(asking) = libraries.found.get(next) {
            let mut names = asking.needed.clone();
            if next == 0 {
                names.push(ALWAYS.to_owned());
            }
            names.retain(|name| seen.insert(name.clone()));
            let (more, missing) = resolve(&names, asking, &search);
            libraries.found.extend(more);
            libraries.missing.extend(missing);
            next += 1;
        }
        Ok(libraries)
    }
}

/// Finds the libraries with these names. Also returns the names for which no file was found.
fn resolve(
    names: &[String],
    asking: &Facts,
    search: &Search<'_>,
) -> (Vec<Facts>, Vec<(String, String)>) {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for name in names {
        // The dynamic linker skips files that are not for this machine.
        match search.candidates(name, asking).iter().find_map(|path| Facts::read(path).ok()) {
            Some(facts) => found.push(facts),
            None => missing.push((name.clone(), asking.name.clone())),
        }
    }
    (found, missing)
}

/// Where to search for libraries.
struct Search<'a> {
    directories: &'a [PathBuf],
    /// The names and paths of the system's libraries.
    index: Vec<(String, PathBuf)>,
}

impl Search<'_> {
    /// The files that `name` may refer to, in order of preference.
    fn candidates(&self, name: &str, asking: &Facts) -> Vec<PathBuf> {
        if name.contains('/') {
            return vec![PathBuf::from(name)];
        }
        let own = asking.path.parent().filter(|own| !own.as_os_str().is_empty());
        let own = own.unwrap_or(Path::new("."));
        let beside = asking.search_path.iter().map(|place| expand(place, own).join(name));
        let given = self.directories.iter().map(|directory| directory.join(name));
        let listed = self.index.iter().filter(|entry| entry.0 == name).map(|entry| entry.1.clone());
        let last = DIRECTORIES.iter().map(|directory| Path::new(directory).join(name));
        let all = given.chain(beside).chain(listed).chain(last);
        all.filter(|path| path.is_file()).collect()
    }
}

fn expand(place: &str, own: &Path) -> PathBuf {
    let own = own.to_string_lossy();
    PathBuf::from(place.replace("${ORIGIN}", &own).replace("$ORIGIN", &own))
}

/// The libraries in `ldconfig`'s cache. Empty if `ldconfig` cannot be run.
fn index() -> Vec<(String, PathBuf)> {
    // `ldconfig` is not on the search path of ordinary users.
    let mut commands = ["ldconfig", "/sbin/ldconfig"].iter();
    let listing = commands.find_map(|command| Command::new(command).arg("-p").output().ok());
    let text = listing.map(|listing| listing.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let entries = text.lines().filter_map(|line| {
        let (name, place) = line.trim().split_once(" => ")?;
        let (name, kind) = name.split_once(' ')?;
        kind.contains("x86-64").then(|| (name.to_owned(), PathBuf::from(place)))
    });
    entries.collect()
}
