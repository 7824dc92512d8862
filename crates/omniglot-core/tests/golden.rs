//! What the compiler makes of the core's shortest ways is what somebody would write by hand.
//!
//! `OMNIGLOT_BLESS=1 cargo test -p omniglot-core --test golden` writes anew what it is compared
//! with; read the difference before you keep it.
#![cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What `examples/golden.rs` has.
const FUNCTIONS: [&str; 4] = ["golden_deref", "golden_upgrade", "golden_validate", "golden_call"];

/// Flags of the build that runs this test, which would change what is looked at.
const FLAGS: [&str; 4] =
    ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTC_BOOTSTRAP"];

#[test]
fn the_shortest_ways_are_what_one_would_write() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let assembly = fs::read_to_string(compile(package)).unwrap();
    let found: Vec<(&str, Vec<String>)> =
        FUNCTIONS.iter().map(|name| (*name, body(&assembly, name))).collect();
    for (name, lines) in &found {
        let calls = lines.iter().filter(|line| line.starts_with("call")).count();
        let (most_lines, most_calls) = match *name {
            "golden_deref" => (3, 0),
            "golden_validate" => (2, 0),
            "golden_upgrade" => (14, 0),
            _ => (60, 3),
        };
        let is_short = (1..=most_lines).contains(&lines.len()) && calls <= most_calls;
        assert!(is_short, "{name}: {calls} calls in\n{}", lines.join("\n"));
    }
    compare(&package.join("tests/golden"), &found);
}

/// Compares with what was blessed, if that was of the same compiler.
fn compare(directory: &Path, found: &[(&str, Vec<String>)]) {
    let compiler = compiler();
    let made_by = directory.join("compiler.txt");
    if env::var_os("OMNIGLOT_BLESS").is_some() {
        fs::write(&made_by, &compiler).unwrap();
        for (name, lines) in found {
            fs::write(directory.join(format!("{name}.s")), lines.join("\n") + "\n").unwrap();
        }
    }
    let blessed = fs::read_to_string(made_by).unwrap();
    if blessed != compiler {
        println!("not compared line by line: blessed with {blessed}, this is {compiler}");
        return;
    }
    for (name, lines) in found {
        let blessed = fs::read_to_string(directory.join(format!("{name}.s"))).unwrap();
        let now = lines.join("\n") + "\n";
        assert!(
            blessed == now,
            "{name} was\n{blessed}\nand is\n{now}\nOMNIGLOT_BLESS=1 keeps that"
        );
    }
}

fn compiler() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Compiles the example with optimisations, and says where its assembly is.
fn compile(package: &Path) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("golden");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["rustc", "--locked", "--quiet", "--release", "--example", "golden"]);
    cargo.arg("--target-dir").arg(&target).current_dir(package);
    cargo.env("CARGO_PROFILE_RELEASE_DEBUG", "0");
    FLAGS.iter().for_each(|flag| {
        cargo.env_remove(flag);
    });
    let place = target.join("golden.s");
    let emit = format!("--emit=link,asm={}", place.display());
    let status = cargo.args(["--", "-Ccodegen-units=1", &emit]).status().unwrap();
    assert!(status.success());
    place
}

/// A function's instructions and labels, without what differs from build to build.
fn body(assembly: &str, function: &str) -> Vec<String> {
    let label = format!("{function}:");
    let lines = assembly.lines().skip_while(|line| *line != label).skip(1);
    let lines = lines.take_while(|line| !line.starts_with(".Lfunc_end"));
    let is_code =
        |line: &&str| !line.trim_start().starts_with(['.', '#']) || line.starts_with(".LBB");
    lines
        .map(without_numbers)
        .map(|line| without_offsets(&line))
        .filter(|line| is_code(&line.as_str()))
        .map(|line| line.trim().replace('\t', " "))
        .collect()
}

/// The line with symbols' hashes left out, and labels numbered within the function.
fn without_numbers(line: &str) -> String {
    let mut parts = line.split("17h");
    let mut text = parts.next().unwrap_or("").to_owned();
    for part in parts {
        text.push_str("17h");
        text.push_str(part.get(16..).unwrap_or(part));
    }
    match text.split_once(".LBB") {
        Some((before, label)) => {
            let (_, rest) = label.split_once('_').unwrap_or(("", label));
            format!("{before}.LBB_{rest}")
        }
        None => text,
    }
}

/// The line with each distance from a register as `N`: where a field lies is the compiler's choice.
fn without_offsets(line: &str) -> String {
    let mut text = String::new();
    for part in line.split_inclusive("(%") {
        match part.strip_suffix("(%") {
            Some(before) => {
                let number = |c: char| c.is_ascii_digit() || c == '-';
                let kept = before.trim_end_matches(number);
                let offset = if kept.len() == before.len() { "" } else { "N" };
                text.extend([kept, offset, "(%"]);
            }
            None => text.push_str(part),
        }
    }
    text
}
