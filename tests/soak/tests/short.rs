//! Runs the scenarios of the long runs for seconds each.
#![forbid(unsafe_code)]
#![allow(missing_docs, clippy::expect_used)]

use std::process::Command;

/// Runs a scenario in its own process, with its own limits and children.
fn scenario(arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_soak"))
        .args(arguments)
        // A panic for lack of memory has no memory for a backtrace.
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("the program of the long runs");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    println!("{text}");
    assert!(output.status.success(), "{}: {text}", output.status);
}

#[test]
fn twenty_four_instances_survive_sabotage() {
    scenario(&["sabotage", "--seconds", "12"]);
}

#[test]
fn nothing_is_left_of_hundreds_of_lives() {
    scenario(&["lives", "--lives", "300"]);
}

#[test]
fn nothing_is_left_of_killed_hosts() {
    scenario(&["hosts", "--rounds", "60"]);
}

#[test]
fn descriptors_run_out() {
    scenario(&["limits", "--only", "descriptors"]);
}

#[test]
fn processes_run_out() {
    scenario(&["limits", "--only", "processes"]);
}

#[test]
fn address_space_runs_out() {
    scenario(&["limits", "--only", "address-space"]);
}

#[test]
fn memory_runs_out() {
    scenario(&["limits", "--only", "data"]);
}

#[test]
fn files_and_stacks_are_limited() {
    scenario(&["limits", "--only", "file-size"]);
    scenario(&["limits", "--only", "stack"]);
}
