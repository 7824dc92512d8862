//! `omniglot scan`: reports what a library needs, and whether it can be loaded, or a static archive
//! sandboxed.

mod archive;
mod denied;
mod facts;
mod libraries;
mod report;
mod starting;
mod verdict;

use std::io::{self, Write};
use std::process::ExitCode;

use self::libraries::Libraries;
use self::report::Scanned;
use self::starting::Start;
use self::verdict::Verdict;
use crate::arguments::Scan;
use crate::failure::Failure;

/// Exit status: the library cannot be loaded or does not start, or the archive cannot be sandboxed.
const NOT_LOADABLE: u8 = 3;
/// Exit status: the library can be loaded, but not behind protection keys.
const PROCESS_ONLY: u8 = 4;

/// Scans a library and its dependencies, or an archive, and prints the report.
pub(crate) fn run(arguments: &Scan) -> Result<ExitCode, Failure> {
    if arguments.only_start {
        return starting::only(arguments);
    }
    if archive::is_one(&arguments.file)? {
        return archive::run(arguments);
    }
    let Libraries { found, missing } = Libraries::of(arguments)?;
    let denied = denied::imports(&found);
    let verdict = Verdict::new(&found, &missing);
    let start = Start::of(arguments, &verdict);
    let scanned = Scanned { libraries: found, missing, denied, verdict, start };
    let text = if arguments.json {
        format!("{:#}\n", report::json(&scanned))
    } else {
        report::text(&scanned)
    };
    print(&text)?;
    Ok(status(&scanned))
}

fn print(text: &str) -> Result<(), Failure> {
    io::stdout().write_all(text.as_bytes()).map_err(Failure::Output)
}

fn status(scanned: &Scanned) -> ExitCode {
    let verdict = &scanned.verdict;
    let starts = !matches!(scanned.start, Start::Fails(_));
    match (verdict.process.is_empty() && starts, verdict.keys.is_empty()) {
        (true, true) => ExitCode::SUCCESS,
        (true, false) => ExitCode::from(PROCESS_ONLY),
        (false, _) => ExitCode::from(NOT_LOADABLE),
    }
}
