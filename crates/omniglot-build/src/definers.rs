//! Which installed library defines what a header declares and the linked ones do not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use object::{Object as _, ObjectSymbol as _, ReadCache};

use crate::scalar::Target;

/// Where linkers look for libraries without being told.
fn system(target: &Target) -> Vec<PathBuf> {
    let multiarch = target.multiarch().unwrap_or_default();
    let own = [format!("/usr/lib/{multiarch}"), format!("/usr/{multiarch}/lib")];
    let common = ["/usr/lib64", "/usr/lib", "/usr/local/lib"].map(str::to_owned);
    own.into_iter().chain(common).map(PathBuf::from).collect()
}

/// The names after `-l` of the libraries that define each symbol: those that can be linked, since
/// their development packages are installed. Libraries that cannot be read define nothing.
pub(crate) fn find(
    symbols: &BTreeSet<&str>,
    searches: &[PathBuf],
    target: &Target,
) -> BTreeMap<String, String> {
    let directories = searches.iter().cloned().chain(system(target));
    let mut found = BTreeMap::new();
    for directory in directories {
        for (name, path) in libraries(&directory) {
            for symbol in defined(&path, symbols) {
                found.entry(symbol).or_insert_with(|| name.clone());
            }
        }
    }
    found
}

/// The shared libraries of a directory that a linker finds by name, in the order of their names.
fn libraries(directory: &Path) -> BTreeMap<String, PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let named = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let name = name.strip_prefix("lib")?.strip_suffix(".so")?.to_owned();
        Some((name, entry.path()))
    });
    named.collect()
}

/// Those of the symbols that a library defines. Some are a linker's script that names others.
fn defined(path: &Path, symbols: &BTreeSet<&str>) -> Vec<String> {
    let Ok(file) = File::open(path) else { return Vec::new() };
    if file.metadata().is_ok_and(|script| script.len() < LARGEST_SCRIPT) {
        let script = fs::read(path).unwrap_or_default();
        let script = String::from_utf8_lossy(&script);
        let paths = script.split_whitespace().filter(|word| word.starts_with('/'));
        let libraries = paths.filter(|path| path.contains(".so"));
        return libraries.flat_map(|path| exported(Path::new(path), symbols)).collect();
    }
    exported(path, symbols)
}

/// A size in bytes that every library exceeds.
const LARGEST_SCRIPT: u64 = 1024;

fn exported(path: &Path, symbols: &BTreeSet<&str>) -> Vec<String> {
    let Ok(file) = File::open(path) else { return Vec::new() };
    let cache = ReadCache::new(file);
    let Ok(library) = object::File::parse(&cache) else { return Vec::new() };
    let exported = library.dynamic_symbols().filter(|symbol| !symbol.is_undefined());
    let names = exported.filter_map(|symbol| Some(symbol.name().ok()?.to_owned()));
    names.filter(|name| symbols.contains(name.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn the_library_of_a_symbol_is_found() {
        let symbols = BTreeSet::from(["cos", "no_library_has_this"]);
        let found = super::find(&symbols, &[], &super::Target::default());
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found.contains_key("cos"));
    }
}
