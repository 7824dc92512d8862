//! Calls, callbacks, nested calls and non-local exits.
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]

mod support;

use support::{Shim, call, start};

#[test]
fn a_call_returns_its_result() {
    let mut linux = start();
    for number in 0..1000 {
        assert_eq!(call(&mut linux, Shim::Add, number, 2), Ok(number + 2));
    }
}
