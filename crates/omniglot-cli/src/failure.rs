//! Reasons why a command fails, and its exit statuses.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::wording;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No bindings could be generated.
    Generation(omniglot_build::Error),
    /// No bindings could be generated. The message locates the problems in the description file.
    Described(omniglot_build::Error, String),
    /// A description file cannot be parsed.
    Description { path: PathBuf, line: usize, message: String },
    /// A file cannot be scanned.
    Image(PathBuf, omniglot_scan::NotAnImage),
    /// A static archive cannot be examined.
    Archive(omniglot_sfi::Error),
    /// A file or directory cannot be accessed.
    File(PathBuf, io::Error),
    /// Standard output cannot be written.
    Output(io::Error),
}

impl From<omniglot_build::Error> for Failure {
    fn from(error: omniglot_build::Error) -> Self {
        Self::Generation(error)
    }
}

impl Failure {
    /// Prints the error, and returns the exit status: 2 for a wrong command line, 1 otherwise.
    pub(crate) fn report(self) -> ExitCode {
        match self {
            // The reader has closed the pipe, as `head` does.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Self::Output(error) => failed(&format!("standard output: {error}"), 1),
            Self::File(path, error) => failed(&format!("{}: {error}", path.display()), 1),
            Self::Image(path, error) => failed(&format!("{}: {error}", path.display()), 1),
            Self::Archive(error) => {
                let problems = error.problems.iter().map(ToString::to_string);
                failed(&problems.collect::<Vec<_>>().join("\n"), 1)
            }
            Self::Generation(error) => {
                failed(&wording::as_options(&error.to_string()), status(&error))
            }
            Self::Described(error, message) => {
                failed(&wording::as_options(&message), status(&error))
            }
            Self::Description { path, line, message } => {
                failed(&format!("{}:{line}: {}", path.display(), message.trim_end()), 2)
            }
        }
    }
}

fn status(error: &omniglot_build::Error) -> u8 {
    use omniglot_build::Error;
    if matches!(error, Error::Pattern { .. } | Error::Name { .. }) { 2 } else { 1 }
}

fn failed(message: &str, status: u8) -> ExitCode {
    eprintln!("error: {message}");
    ExitCode::from(status)
}
