//! Runs the program on real cities.

#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_example-sqlite");
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/data");
    Command::new(program).args(arguments).current_dir(directory).output().unwrap()
}

#[test]
fn the_nearest_cities_are_found() {
    for (city, nearest) in [
        ("London", "   344 km to Paris"),
        ("Boston", "   306 km to New York"),
        ("Tokyo", "   360 km to Kyōto"),
    ] {
        let output = run(&["cities.csv", city]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.lines().next(), Some(nearest));
        assert_eq!(text.lines().count(), 5);
    }
}

#[test]
fn it_says_what_is_wrong() {
    let output = run(&["cities.csv", "Atlantis"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stderr, b"error: cities.csv has no Atlantis\n");
    assert_eq!(run(&[]).status.code(), Some(2));
}
