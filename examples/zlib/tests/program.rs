//! Tests the program as a filter, and with the format of the command gzip.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};
use std::thread;

/// Runs the program with this input.
fn filter(argument: &str, input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_example-zlib"))
        .arg(argument)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    thread::scope(|scope| {
        // The program need not read all of its input if it rejects it.
        scope.spawn(move || stdin.write_all(input).ok());
        child.wait_with_output().unwrap()
    })
}

#[test]
fn it_compresses_and_decompresses() {
    let text = include_bytes!("../../../README.md").repeat(100);
    let packed = filter("compress", &text);
    assert!(packed.status.success());
    assert!(packed.stdout.len() < text.len() / 2, "{} bytes", packed.stdout.len());
    let mut reference = Vec::new();
    flate2::read::GzDecoder::new(&packed.stdout[..]).read_to_end(&mut reference).unwrap();
    assert!(reference == text);
    let unpacked = filter("decompress", &packed.stdout);
    assert!(unpacked.status.success());
    assert!(unpacked.stdout == text);
}

#[test]
fn it_refuses_what_is_not_compressed() {
    let output = filter("decompress", b"plain text");
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(message, "error: damaged data: incorrect header check\n");
    assert_eq!(filter("explode", b"").status.code(), Some(2));
}
