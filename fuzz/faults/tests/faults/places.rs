//! Finds the loads of foreign memory in the sources, and checks that each was reached and changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::parent::Counts;

/// The source directories that load foreign memory, relative to the project's root.
const SOURCES: [&str; 2] = ["crates/omniglot-core/src", "crates/omniglot-linux/src"];
/// Text that marks a line as a load.
const LOADS: [&str; 5] =
    ["faults::bytes(", "faults::number(", "window().read(", "window.read(", ".read_frame("];
/// Files whose functions report their caller's location, and are therefore no places themselves.
const INNER: [&str; 2] =
    ["crates/omniglot-core/src/memory.rs", "crates/omniglot-core/src/faults.rs"];

/// Prints what was loaded and changed at each place. Returns true if no place is missing.
pub(crate) fn check(places: &BTreeMap<String, Counts>) -> bool {
    for (place, Counts { loads, changed }) in places {
        println!("{loads:>9} loads, {changed:>6} changed: {place}");
    }
    let there_are = places_in_sources();
    let is_missing = |place: &&String| places.get(*place).is_none_or(|counts| counts.changed == 0);
    let missing: Vec<&String> = there_are.iter().filter(is_missing).collect();
    for place in &missing {
        println!("nothing was changed at {place}");
    }
    println!("{} places, {} of them changed", there_are.len(), there_are.len() - missing.len());
    missing.is_empty()
}

fn places_in_sources() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut places = BTreeSet::new();
    for sources in SOURCES {
        add_directory(&root, Path::new(sources), &mut places);
    }
    places
}

fn add_directory(root: &Path, directory: &Path, places: &mut BTreeSet<String>) {
    for entry in fs::read_dir(root.join(directory)).into_iter().flatten().flatten() {
        let path = directory.join(entry.file_name());
        let name = path.display().to_string();
        if entry.path().is_dir() {
            add_directory(root, &path, places);
        } else if !INNER.contains(&name.as_str()) {
            let text = fs::read_to_string(entry.path()).unwrap_or_default();
            places.extend(lines_of(&text).map(|line| format!("{name}:{line}")));
        }
    }
}

/// Returns the numbers of lines with a load, up to the file's tests.
fn lines_of(text: &str) -> impl Iterator<Item = usize> {
    let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").enumerate();
    let loads = lines.filter(|(_, line)| {
        let is_code = !line.trim_start().starts_with("//");
        is_code && LOADS.iter().any(|load| line.contains(load))
    });
    loads.map(|(index, _)| index + 1)
}
