//! The guide is consistent: every chapter is in the table of contents and is tested, and every link
//! has a target.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn chapters() -> BTreeSet<String> {
    let entries = fs::read_dir(root().join("docs/guide/src")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "SUMMARY.md").collect()
}

/// Returns the targets of a text's links, ignoring code.
fn links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    let mut is_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        if is_code {
            continue;
        }
        // In a line, every other part between backticks is code.
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("code");
        let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        links.extend(targets.map(|(target, _)| target.to_owned()));
    }
    links
}

/// Returns the anchor that mdBook and GitHub make from a heading.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-' || *c == '_');
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    text.lines().filter(|line| line.starts_with('#')).map(anchor).collect()
}

/// Returns what is wrong with a link of this document, if anything.
fn wrong(document: &Path, link: &str) -> Option<String> {
    if link.contains("://") {
        return None;
    }
    let (file, fragment) = link.split_once('#').map_or((link, None), |(f, a)| (f, Some(a)));
    let target = match file {
        "" => document.to_owned(),
        _ => document.parent().unwrap().join(file),
    };
    if !target.exists() {
        return Some(format!("{}: {link}: there is no such file", document.display()));
    }
    let fragment = fragment?;
    let known = anchors(&read(&target));
    (!known.contains(fragment))
        .then(|| format!("{}: {link}: there is no such heading", document.display()))
}

#[test]
fn every_link_leads_somewhere() {
    let guide = root().join("docs/guide/src");
    let mut documents: Vec<_> = chapters().into_iter().map(|name| guide.join(name)).collect();
    documents.push(guide.join("SUMMARY.md"));
    documents
        .extend(["README.md", "CHANGELOG.md", "examples/README.md"].map(|name| root().join(name)));
    let mut count = 0;
    let mut problems = Vec::new();
    for document in documents {
        for link in links(&read(&document)) {
            count += 1;
            problems.extend(wrong(&document, &link));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(count > 50, "only {count} links were found");
}

#[test]
fn every_chapter_is_in_the_table_of_contents() {
    let summary = read(&root().join("docs/guide/src/SUMMARY.md"));
    let listed: BTreeSet<_> = links(&summary).into_iter().collect();
    assert_eq!(listed, chapters());
}

/// Chapters that are whole crates, which `tests/readme` builds.
const CRATES: [&str; 2] = ["five-minutes.md", "own-c-file.md"];

#[test]
fn every_chapters_code_is_tested() {
    let doc_tests = include_str!("../src/lib.rs");
    let crates = read(&root().join("tests/readme/tests/crates.rs"));
    for chapter in chapters() {
        let tests = if CRATES.contains(&&*chapter) { &*crates } else { doc_tests };
        assert!(tests.contains(&format!("{chapter}\"")), "{chapter} is not tested");
    }
}

#[test]
fn links_are_found_and_anchors_are_githubs() {
    assert_eq!(links("[a](b.md) `[c](d)` [e](f#g)\n```\n[h](i)\n```"), ["b.md", "f#g"]);
    assert_eq!(anchor("## Errors by longjmp, and `x`"), "errors-by-longjmp-and-x");
}
