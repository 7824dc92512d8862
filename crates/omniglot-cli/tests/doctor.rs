//! Tests `omniglot doctor` here and in a guest with known features.
#![forbid(unsafe_code)]
#![allow(missing_docs)]
// Helper functions of tests may panic, as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

type Test = fn();

const TESTS: &[(&str, Test)] = &[
    ("it_says_the_same_in_both_forms", it_says_the_same_in_both_forms),
    ("it_agrees_with_the_kernel", it_agrees_with_the_kernel),
    ("what_is_missing_comes_with_a_remedy", what_is_missing_comes_with_a_remedy),
];

const IN_A_GUEST: &[(&str, Test)] =
    &[("in_a_guest_nothing_is_missing_for_keys", in_a_guest_nothing_is_missing_for_keys)];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let is_guest = std::env::var_os("OMNIGLOT_GUEST").is_some();
    let tests = TESTS.iter().chain(if is_guest { IN_A_GUEST } else { &[] });
    let trials = tests.map(|&(name, test)| Trial::test(name, move || passed(test)));
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// Runs a test, which panics if it fails.
fn passed(test: Test) -> Result<(), Failed> {
    test();
    Ok(())
}

fn doctor(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_omniglot"));
    let output = command.arg("doctor").args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn report() -> Value {
    serde_json::from_str(&doctor(&["--json"])).unwrap()
}

fn it_says_the_same_in_both_forms() {
    let (text, report) = (doctor(&[]), report());
    assert!(text.contains(report["kernel"]["release"].as_str().unwrap()), "{text}");
    assert!(text.contains(report["auto"]["reason"].as_str().unwrap()), "{text}");
    let pku = if report["processor"]["pku"].as_bool().unwrap() { "yes" } else { "no" };
    let line = text.lines().find(|line| line.contains("(PKU)")).unwrap();
    assert!(line.ends_with(pku), "{line}");
}

fn it_agrees_with_the_kernel() {
    let report = report();
    let information = fs::read_to_string("/proc/cpuinfo").unwrap();
    let flags = information.lines().find(|line| line.starts_with("flags")).unwrap();
    for flag in ["pku", "ospke", "fsgsbase"] {
        let has = flags.split_whitespace().any(|word| word == flag);
        assert_eq!(report["processor"][flag], has, "{flag}");
    }
    let pkey_alloc = report["mechanisms"]["pkey_alloc"].as_str().unwrap();
    assert_eq!(pkey_alloc != "none", report["processor"]["ospke"] == true);
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!(report["kernel"]["release"], release.trim());
}

fn what_is_missing_comes_with_a_remedy() {
    let (text, report) = (doctor(&[]), report());
    for runtime in ["process", "protection_keys"] {
        let runtime = &report["runtimes"][runtime];
        let requirements = runtime["requirements"].as_array().unwrap();
        assert!(requirements.len() >= 6, "{runtime}");
        let missing = requirements.iter().filter(|requirement| requirement["is_met"] == false);
        let missing: Vec<&Value> = missing.collect();
        assert_eq!(runtime["is_possible"], missing.is_empty());
        for requirement in missing {
            for part in ["name", "found", "remedy"] {
                assert!(text.contains(requirement[part].as_str().unwrap()), "{requirement}");
            }
        }
    }
    assert_eq!(report["runtimes"]["process"]["is_possible"], true);
}

fn in_a_guest_nothing_is_missing_for_keys() {
    let report = report();
    assert_eq!(report["runtimes"]["protection_keys"]["is_possible"], true, "{report:#}");
    assert_eq!(report["mechanisms"]["pkey_alloc"], "allocated");
    assert_eq!(report["mechanisms"]["user_dispatch"], true);
    assert_eq!(report["mechanisms"]["rseq"], true);
    assert_eq!(report["processor"]["fsgsbase_enabled"], true);
    // Keys are available, but are chosen only on request.
    assert_eq!(report["auto"]["isolation"], "process");
    assert!(report["auto"]["reason"].as_str().unwrap().contains("experimental"), "{report:#}");
}
