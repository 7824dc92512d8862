//! Writing down what libraries ask for, for `omniglot learn`.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use omniglot_core::{Error, Text, Window};
use rustix::io::Errno;

use super::requests;

/// Names the file to which requests are added, if there is one.
const FILE: &str = "OMNIGLOT_LEARN";

/// Returns true if the user wants to know what libraries ask for.
pub(super) fn is_on() -> bool {
    std::env::var_os(FILE).is_some()
}

/// Adds a file that a constructor wanted to open, and that is no library.
pub(super) fn note_file(library: &str, path: &Path) {
    let path = Text::from_untrusted(path.as_os_str().as_bytes());
    let error = Errno::ACCESS.raw_os_error();
    write(&format!("loading\t{library}\topenat\t{error}\t1\t{path}\n"));
}

/// Adds what a domain asked for in a life that ends, and what ended it: a line for each, of fields
/// between tabs, none of which has control characters in it.
///
/// It is for the user who asked for it, and nothing depends on it: what cannot be written is not.
pub(super) fn note(library: &str, window: &Window, ended_by: Option<&Error>) {
    if !is_on() {
        return;
    }
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
    write(&lines);
}

fn write(lines: &str) {
    let file = std::env::var_os(FILE).map(|path| OpenOptions::new().append(true).open(path));
    if let Some(Ok(mut file)) = file {
        let _ = file.write_all(lines.as_bytes());
    }
}
