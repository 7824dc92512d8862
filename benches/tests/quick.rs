//! Runs all workloads once: they can be set up, give the right results, and are reported.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_omniglot-bench");
/// The program that `process_start` runs. Naming it makes cargo build it.
const STARTED: &str = env!("CARGO_BIN_EXE_start-once");

/// The workloads that run in a build without optimisation. The largest sizes would take minutes
/// there, so only the measuring command runs them.
const WORKLOADS: &str = "empty_call,instructions,clearing,key_writes,six_arguments,batch,upgrade,\
     callback,callback_instructions,validate_u8,validate_str,validate_bool,validate_enum,\
     validate_struct,libsodium,brotli,brotli_q5,brotli_q1,brotli_decompress,libpng,zlib,sqlite,\
     lua,jansson,jpeg_rows,verification,start,start_libpng,\
     process_start,reset,memory";

#[test]
fn every_workload_works_and_is_reported() {
    assert!(Path::new(STARTED).is_file());
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["--quick", "--only", WORKLOADS, "--report"]).arg(directory.path());
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(errors.is_empty(), "{errors}");
    let records = fs::read_to_string(directory.path().join("results.json")).unwrap();
    let page = fs::read_to_string(directory.path().join("index.html")).unwrap();
    for workload in WORKLOADS.split(',').filter(|name| *name != "key_writes") {
        assert!(records.contains(&format!("\"workload\": \"{workload}\"")), "{workload}");
        assert!(page.contains(workload), "{workload}");
    }
}

#[test]
fn a_program_with_checks_is_not_taken_for_one_without() {
    let mut command = Command::new(PROGRAM);
    let output = command.args(["--only", "upgrade", "--unchecked", PROGRAM]).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors.contains("has checks"), "{errors}");
}

#[test]
fn an_unknown_workload_is_refused_with_the_list() {
    let output = Command::new(PROGRAM).args(["--only", "nonsense"]).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("there is no workload nonsense") && errors.contains("libpng"));
}
