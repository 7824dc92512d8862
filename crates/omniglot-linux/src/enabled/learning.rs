//! Writing down what libraries ask for, for `omniglot learn`.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;

use omniglot_core::{Error, Window};

use super::requests;

/// Names the file to which requests are added, if there is one.
const FILE: &str = "OMNIGLOT_LEARN";

/// Adds what a domain asked for in a life that ends, and what ended it: a line for each, of fields
/// between tabs, none of which has control characters in it.
///
/// It is for the user who asked for it, and nothing depends on it: what cannot be written is not.
pub(super) fn note(library: &str, window: &Window, ended_by: Option<&Error>) {
    let Some(path) = std::env::var_os(FILE) else {
        return;
    };
    let mut lines = String::new();
    for request in requests::read(window).unwrap_or_default() {
        let (call, error) = (request.system_call, request.error);
        // Writing to a string does not fail.
        let _ = writeln!(
            lines,
            "asked\t{library}\t{call}\t{error}\t{}\t{}",
            request.count, request.path
        );
    }
    if let Some(Error::SyscallDenied { name, number, place }) = ended_by {
        let _ = writeln!(lines, "denied\t{library}\t{name}\t{number}\t1\t{place}");
    }
    if let Ok(mut file) = OpenOptions::new().append(true).open(path) {
        let _ = file.write_all(lines.as_bytes());
    }
}
