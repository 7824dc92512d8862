//! `omniglot learn`: runs a program and reports which builder lines its libraries needed.

mod asked;
mod lines;

use std::fs;
use std::io::{self, Write};
use std::process::{Command, ExitCode};

pub(crate) use self::asked::Asked;
use crate::arguments::Learn;
use crate::failure::Failure;

/// The environment variable with the file to which the runtime appends the requests of libraries.
pub(crate) const FILE: &str = "OMNIGLOT_LEARN";

/// Runs the program with its own output, and prints the requests of its libraries.
pub(crate) fn run(arguments: &Learn) -> Result<ExitCode, Failure> {
    let file = tempfile::NamedTempFile::new().map_err(Failure::Output)?;
    let [program, rest @ ..] = &arguments.command[..] else {
        return Ok(ExitCode::FAILURE);
    };
    let status = Command::new(program)
        .args(rest)
        .env(FILE, file.path())
        .status()
        .map_err(|error| Failure::File(program.into(), error))?;
    let text = fs::read(file.path()).map_err(Failure::Output)?;
    let asked = Asked::read(&String::from_utf8_lossy(&text));
    let report = lines::report(&asked, status.success());
    io::stdout().write_all(report.as_bytes()).map_err(Failure::Output)?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
