//! Omniglot in one run: the article's example, libpng on a real picture, and a
//! library that attacks its host.
#![forbid(unsafe_code)]

mod arguments;
mod article;
mod canaries;
mod hostile;
mod libpng;
mod plain_ffi;
mod report;
mod timing;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;

use arguments::{Arguments, Command};
use report::Report;

fn main() -> ExitCode {
    match run() {
        Ok(passed) => ExitCode::from(u8::from(!passed)),
        Err(error) => {
            // If this fails too, there is no other way to report it.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns true if everything went as expected.
fn run() -> Result<bool> {
    match arguments::parse(std::env::args_os().skip(1))? {
        Command::Help => {
            print(arguments::USAGE);
            Ok(true)
        }
        Command::PlainFfi(kind) => {
            plain_ffi::run(kind);
            Ok(true)
        }
        Command::Demo(arguments) => demo(&arguments),
    }
}

fn demo(arguments: &Arguments) -> Result<bool> {
    let input = libpng::Input::read(arguments.file.as_deref())?;
    let output = libpng::Output::open(arguments.out.as_deref(), &input)?;
    let mut report = Report::default();
    article::show(&mut report)?;
    libpng::show(&mut report, &input, output)?;
    hostile::show(&mut report, &input)?;
    Ok(report.finish())
}

/// As `print!`, but a closed pipe does not panic.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
