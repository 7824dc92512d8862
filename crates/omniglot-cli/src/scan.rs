//! `omniglot scan`: reports what a library needs, and whether it can be loaded, or a static archive
//! sandboxed.

mod archive;
mod denied;
mod facts;
mod libraries;
mod report;
mod verdict;

use std::io::{self, Write};
use std::process::ExitCode;

use self::libraries::Libraries;
use self::report::Scanned;
use self::verdict::Verdict;
use crate::arguments::Scan;
use crate::failure::Failure;

/// Exit status: the library cannot be loaded, or the archive cannot be sandboxed.
const NOT_LOADABLE: u8 = 3;
/// Exit status: the library can be loaded, but not behind protection keys.
const PROCESS_ONLY: u8 = 4;

/// Scans a library and its dependencies, or an archive, and prints the report.
pub(crate) fn run(arguments: &Scan) -> Result<ExitCode, Failure> {
    if archive::is_one(&arguments.file)? {
        return archive::run(arguments);
    }
    let Libraries { found, missing } = Libraries::of(arguments)?;
    let denied = denied::imports(&found);
    let verdict = Verdict::new(&found, &missing);
    let scanned = Scanned { libraries: found, missing, denied, verdict };
    let text = if arguments.json {
        format!("{:#}\n", report::json(&scanned))
    } else {
        report::text(&scanned)
    };
    print(&text)?;
    Ok(status(&scanned.verdict))
}

fn print(text: &str) -> Result<(), Failure> {
    io::stdout().write_all(text.as_bytes()).map_err(Failure::Output)
}

fn status(verdict: &Verdict) -> ExitCode {
    match (verdict.process.is_empty(), verdict.keys.is_empty()) {
        (true, true) => ExitCode::SUCCESS,
        (true, false) => ExitCode::from(PROCESS_ONLY),
        (false, _) => ExitCode::from(NOT_LOADABLE),
    }
}
