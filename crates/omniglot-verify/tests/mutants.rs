//! Shows that each rule is needed: without it in the crate's sources, a test of `rules.rs` fails.
//!
//! The crate has no dependencies, so the compiler alone, without cargo, compiles a mutated copy of
//! it together with those tests. To add a rule, add it to `mutants/table.rs`.
//! A usual run takes a quarter of the mutants. `OMNIGLOT_WHOLE=1` runs all of them, and
//! `OMNIGLOT_MUTANT=access` only those with `access` in their names.
#![forbid(unsafe_code)]
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "mutants/table.rs"]
mod table;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use table::{MUTANTS, Mutant};

/// A usual run takes one mutant of so many: each compiles the crate and its tests.
const SHARES: u128 = 4;

/// The directory for the copies of one test run.
fn directory() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutants")
}

fn source(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
    fs::read_to_string(&path).unwrap()
}

const FILES: [&str; 8] = [
    "lib.rs",
    "decode.rs",
    "forms.rs",
    "group.rs",
    "layout.rs",
    "refusal.rs",
    "region.rs",
    "verify.rs",
];

/// Compiles a copy of the crate with a change, together with the tests. Runs the tests if that
/// works.
fn try_with(name: &str, change: impl Fn(&str, String) -> String) -> Result<Output, String> {
    let directory = directory().join(name);
    fs::create_dir_all(&directory).unwrap();
    for file in FILES {
        fs::write(directory.join(file), change(file, source(file))).unwrap();
    }
    let rustc = || {
        let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc.args(["--edition=2024", "--cap-lints=allow", "-Copt-level=1", "--out-dir"]);
        rustc.arg(&directory);
        rustc
    };
    let mut library = rustc();
    library.args(["--crate-type=rlib", "--crate-name=omniglot_verify"]);
    compile(library.arg(directory.join("lib.rs")))?;
    let mut tests = rustc();
    tests.args(["--test", "--crate-name=rules", "-Copt-level=0"]);
    tests
        .arg("--extern")
        .arg(format!("omniglot_verify={}", directory.join("libomniglot_verify.rlib").display()));
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules.rs");
    compile(tests.arg(rules))?;
    let output = Command::new(directory.join("rules")).arg("--test-threads=1").output();
    let _ = fs::remove_dir_all(&directory);
    output.map_err(|error| error.to_string())
}

fn compile(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[test]
fn every_rule_is_where_the_table_says() {
    for Mutant(name, file, text, instead) in MUTANTS {
        let count = source(file).matches(text).count();
        assert_eq!(count, 1, "{name}: its text is {count} times in {file}: {text}");
        assert_ne!(text, instead, "{name}");
    }
}

/// Returns a message if no test notices the mutation.
fn unnoticed(index: usize, Mutant(name, file, text, instead): &Mutant) -> Option<String> {
    let change = |of: &str, source: String| match of == *file {
        true => source.replacen(text, instead, 1),
        false => source,
    };
    match try_with(&format!("m{index}"), change) {
        Ok(output) if output.status.success() => Some(format!("{name}: nothing fails without it")),
        Ok(_) => None,
        Err(error) => Some(format!("{name}: it does not compile: {error}")),
    }
}

/// The mutants to run, each with its place in the table: every fourth, another one each time, or
/// all.
fn chosen() -> Vec<(usize, &'static Mutant)> {
    let all = MUTANTS.iter().enumerate();
    if let Ok(only) = env::var("OMNIGLOT_MUTANT") {
        return all.filter(|(_, mutant)| mutant.0.contains(&only)).collect();
    }
    if env::var_os("OMNIGLOT_WHOLE").is_some() {
        return all.collect();
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let first = usize::try_from(now % SHARES).unwrap();
    println!("1 of {SHARES} mutants from number {first} on; OMNIGLOT_WHOLE=1 runs all");
    all.skip(first).step_by(usize::try_from(SHARES).unwrap()).collect()
}

#[test]
fn every_rule_is_needed() {
    let whole = try_with("whole", |_, source| source).unwrap();
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stdout));
    let chosen = chosen();
    let number = chosen.len();
    let next = Mutex::new(chosen.into_iter());
    let wrong = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let next = next.lock().unwrap().next();
                    let Some((index, mutant)) = next else { break };
                    wrong.lock().unwrap().extend(unnoticed(index, mutant));
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {number}:\n{}", wrong.len(), wrong.join("\n"));
    println!("{number} rules taken out, one at a time: each is missed");
}
