//! Shows that runs in a region find out what a verifier with a rule less would accept.
//!
//! Each of these rules is taken out of a copy of the verifier, and the program, built with that
//! copy, must report a violation. This takes minutes, so it runs only where `OMNIGLOT_MUTANT` is
//! set, for the rules with that text in their names. With no text, it is all of them:
//! `OMNIGLOT_MUTANT= cargo test --package omniglot-confined --test weakened -- --nocapture`.
#![forbid(unsafe_code)]
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../../../crates/omniglot-verify/tests/mutants/table.rs"]
mod table;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use table::{MUTANTS, Mutant};

/// The rules without which violations are frequent enough to be found within seconds. The table's
/// others concern how the same instruction is spelled, or what random code hardly ever does.
const FREQUENT: &[&str] = &[
    "32 bits of displacement have a sign",
    "ESP is cleared for certain",
    "ESP is followed by the base",
    "RSP is written in two ways",
    "XADD writes two",
    "a branch needs an access before",
    "a group's register is one",
    "a jump is by that register",
    "a mask leaves lines",
    "a register for memory may be RSP",
    "a return is by that register",
    "an access is on the stack",
    "forms are listed",
    "gates are entered at lines",
    "indirect branches are in groups",
    "nothing crosses a line",
    "operands are confined",
    "register operands are in the region",
    "register operands have 32 bits",
    "relative operands are in the region",
    "returns are in groups",
    "stack operands are near",
    "steps are small",
    "string instructions are in groups",
    "strings have RDI",
    "strings have RSI",
    "strings have both",
    "targets are beginnings",
    "targets are in the text",
    "the first register may be RSP",
    "two steps need an access",
];

/// The number of batches in which a violation must occur, of 100,000 sequences each.
const BATCHES: &str = "300";

/// The copy's manifest. It has the crate's dependencies, since Cargo wants them to be the same.
const MANIFEST: &str = r#"
[package]
name = "omniglot-verify"
version = "0.1.0"
edition = "2024"

[dev-dependencies]
iced-x86 = { version = "1.22", default-features = false, features = ["std", "decoder", "encoder", "instr_info", "intel"] }
omniglot-fuzz = { path = "FUZZ" }

[workspace]
"#;

fn crate_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/omniglot-verify")
}

/// Writes a copy of the verifier without a rule.
fn copy(directory: &Path, Mutant(name, file, text, instead): &Mutant) {
    let sources = directory.join("src");
    fs::create_dir_all(&sources).unwrap();
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let manifest = MANIFEST.replace("FUZZ", fuzz.to_str().unwrap());
    fs::write(directory.join("Cargo.toml"), manifest).unwrap();
    for entry in fs::read_dir(crate_directory().join("src")).unwrap() {
        let entry = entry.unwrap();
        let mut source = fs::read_to_string(entry.path()).unwrap();
        if entry.file_name() == **file {
            assert_eq!(source.matches(text).count(), 1, "{name}");
            source = source.replacen(text, instead, 1);
        }
        fs::write(sources.join(entry.file_name()), source).unwrap();
    }
}

/// Builds the program with the copy, and returns its path.
fn build(copy: &Path) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("weakened");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--release", "--package", "omniglot-confined"]);
    cargo.arg("--config").arg(format!("paths = [{:?}]", copy.display()));
    cargo.arg("--target-dir").arg(&target).current_dir(env!("CARGO_MANIFEST_DIR"));
    // What only the rule used is unused now.
    cargo.env("RUSTFLAGS", "-Awarnings");
    let status = cargo.status().unwrap();
    assert!(status.success(), "{status}");
    target.join("release/omniglot-confined")
}

/// Returns a message if the program finds nothing.
fn unnoticed(mutant: &Mutant) -> Option<String> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("weakened-verifier");
    copy(&directory, mutant);
    let program = build(&directory);
    let began = Instant::now();
    let output = Command::new(program).env("OMNIGLOT_FUZZ_RUNS", BATCHES).output().unwrap();
    let seconds = began.elapsed().as_secs_f64();
    if output.status.success() {
        return Some(format!("{}: nothing is found without it", mutant.0));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().find(|line| !line.contains(" runs after ")).unwrap_or("it crashed");
    let said: String = said.chars().take(60).collect();
    println!("{}: found in {seconds:.1} s: {said}", mutant.0);
    None
}

#[test]
fn a_weakened_verifier_is_found_out() {
    let chosen: Vec<_> = MUTANTS.iter().filter(|mutant| FREQUENT.contains(&mutant.0)).collect();
    assert_eq!(chosen.len(), FREQUENT.len(), "each is in the table");
    let Ok(only) = env::var("OMNIGLOT_MUTANT") else {
        println!("OMNIGLOT_MUTANT= runs it, for some minutes");
        return;
    };
    let chosen = chosen.into_iter().filter(|mutant| mutant.0.contains(&only));
    let wrong: Vec<_> = chosen.filter_map(unnoticed).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
