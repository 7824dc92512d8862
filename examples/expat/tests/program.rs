//! Runs the program on a feed.

#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_example-expat");
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/data");
    Command::new(program).args(arguments).current_dir(directory).output().unwrap()
}

#[test]
fn it_prints_an_outline() {
    let output = run(&["feed.xml"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let outline = String::from_utf8(output.stdout).unwrap();
    let start = "feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"en\"\n  title\n    \
                 \"News of Omniglot & friends\"\n";
    assert!(outline.starts_with(start), "{outline}");
    assert_eq!(outline.lines().filter(|line| *line == "  entry").count(), 2);
    assert!(
        outline.ends_with("    summary\n      \"Three values,\\nfour checks.\"\n"),
        "{outline}"
    );
}

#[test]
fn it_says_what_is_wrong() {
    let output = run(&["nowhere.xml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stderr.starts_with(b"error: nowhere.xml: No such file"));
    assert_eq!(run(&[]).status.code(), Some(2));
}
