//! Runs the program in its own process: accepted code must stay in its region.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

use std::process::Command;

#[test]
fn what_was_accepted_stays_in_its_region() {
    let output = Command::new(env!("CARGO_BIN_EXE_omniglot-confined")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    println!("{said}");
    assert!(output.status.success(), "{}\n{errors}", output.status);
}
