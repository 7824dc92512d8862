//! Checks that each SAFETY comment cites the invariant that it argues from.
//!
//! A crate with unsafe code numbers its invariants in the documentation of its root module. A
//! comment that cites none argues from nothing that a reader could look up. The code does not rest
//! on an invariant that no comment cites.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The crates that number their invariants.
const CRATES: &[&str] =
    &["crates/omniglot-core", "crates/omniglot-linux", "crates/omniglot-pmp", "kernel/hardware"];

/// A SAFETY comment.
#[derive(Debug, PartialEq, Eq)]
struct Argument {
    /// The number of its first line.
    line: usize,
    /// The invariants that it cites.
    invariants: BTreeSet<u32>,
}

/// The problems in all crates, one line each.
pub(super) fn complaints(root: &Path) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    for directory in CRATES {
        complaints.extend(complaints_about(root, &root.join(directory).join("src"))?);
    }
    Ok(complaints)
}

fn complaints_about(root: &Path, source: &Path) -> Result<Vec<String>> {
    let stated = numbered(&read(&source.join("lib.rs"))?);
    let mut cited = BTreeSet::new();
    let mut complaints = Vec::new();
    for file in files(source, &["rs"])? {
        let name = file.strip_prefix(root).unwrap_or(&file).display();
        for Argument { line, invariants } in arguments(&read(&file)?) {
            if invariants.is_empty() {
                complaints.push(format!("{name}:{line}: the SAFETY comment names no invariant"));
            }
            for number in invariants.difference(&stated) {
                complaints.push(format!("{name}:{line}: there is no invariant {number}"));
            }
            cited.extend(invariants);
        }
    }
    let root_module = source.strip_prefix(root).unwrap_or(source).join("lib.rs");
    let unused = stated.difference(&cited);
    complaints.extend(unused.map(|number| {
        format!("{}: no SAFETY comment names invariant {number}", root_module.display())
    }));
    Ok(complaints)
}

pub(super) fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("could not read {}", file.display()))
}

/// The files with one of these endings in a directory and its subdirectories, without links.
pub(super) fn files(directory: &Path, endings: &[&str]) -> Result<Vec<PathBuf>> {
    let listing = fs::read_dir(directory)
        .with_context(|| format!("could not list {}", directory.display()))?;
    let mut found = Vec::new();
    for entry in listing {
        let path = entry.context("could not list a directory")?.path();
        // What a link leads to is a directory of its own.
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path, endings)?);
        } else if path.extension().is_some_and(|ending| endings.iter().any(|one| ending == *one)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The numbers of the invariants in a root module's documentation.
fn numbered(text: &str) -> BTreeSet<u32> {
    text.lines()
        .skip_while(|line| {
            !line.starts_with("//! #") || !line.to_lowercase().contains("invariants")
        })
        .map_while(|line| line.strip_prefix("//!"))
        .filter_map(|line| line.trim_start().split_once(". "))
        .filter_map(|(number, _)| number.parse().ok())
        .collect()
}

/// The SAFETY comments in a file.
fn arguments(text: &str) -> Vec<Argument> {
    let mut lines = text.lines().enumerate().peekable();
    let mut arguments = Vec::new();
    while let Some((index, line)) = lines.next() {
        let Some(start) = line.trim_start().strip_prefix("// SAFETY:") else {
            continue;
        };
        let mut comment = start.to_owned();
        while let Some((_, more)) = lines.next_if(|(_, line)| line.trim_start().starts_with("//")) {
            comment.push(' ');
            comment.push_str(more.trim_start().trim_start_matches('/'));
        }
        arguments.push(Argument { line: index + 1, invariants: named(&comment) });
    }
    arguments
}

/// The numbers that follow the words "invariant" or "invariants", such as "invariants 1, 2 and 3".
fn named(comment: &str) -> BTreeSet<u32> {
    comment.split(['(', ')', ';', ':', '.']).flat_map(listed).collect()
}

/// The numbers at the start of a part of a sentence, up to any other word.
fn listed(part: &str) -> Vec<u32> {
    let words = part.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let mut numbers = Vec::new();
    let mut is_listing = false;
    for word in words {
        match word.parse() {
            Ok(number) if is_listing => numbers.push(number),
            _ => {
                let goes_on = is_listing && matches!(word, "and" | "to");
                is_listing = goes_on || matches!(word, "invariant" | "invariants");
            }
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Argument, arguments, complaints, named, numbered};

    /// Run as a test, too, so that a run of all tests notices.
    #[test]
    fn every_argument_names_its_invariant() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let complaints = complaints(&root).expect("the sources");
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    }

    #[test]
    fn a_comment_of_several_lines_is_one_argument() {
        let text = "let x = 1;\n    // SAFETY: in the window,\n    // as checked (invariant\n    // 2).\n    unsafe {}\n// SAFETY: just so.\n";
        let found = arguments(text);
        assert_eq!(
            found,
            [
                Argument { line: 2, invariants: [2].into() },
                Argument { line: 6, invariants: [].into() }
            ]
        );
    }

    #[test]
    fn lists_of_numbers_are_read_whole_and_other_numbers_are_not() {
        assert_eq!(named("invariants 1, 2 and 3; below 2^47"), [1, 2, 3].into());
        assert_eq!(named("8 bytes (invariant 4); 0 of them are lost"), [4].into());
        assert_eq!(named("as for Send, 5 of them"), [].into());
    }

    #[test]
    fn the_stated_numbers_are_those_of_the_section() {
        let text = "//! 9. No.\n//! # Soundness invariants\n//!\n//! 1. **A.** b\n//!    c\n//! 2. **D.** e\nmod x;\n//! 3. **F.**\n";
        assert_eq!(numbered(text), [1, 2].into());
    }
}
