//! Determines whether a library starts, by starting it: in a process, contained, with nothing granted.

use std::process::{Command, ExitCode, Stdio};
use std::{env, fs, io};

use omniglot_linux::Machine;

use super::verdict::Verdict;
use super::{NOT_LOADABLE, print};
use crate::arguments::Scan;
use crate::failure::Failure;
use crate::learn::{Asked, FILE};
use crate::remedies;

/// What came of starting a library.
#[derive(Debug)]
pub(super) enum Start {
    /// It was not tried: why.
    NotTried(String),
    /// It starts, and its constructors asked for what these lines of a builder grant.
    Works(Vec<String>),
    /// It does not start: why.
    Fails(String),
}

impl Start {
    /// Starts the library, unless the user does not want that, or its files show that it cannot be
    /// loaded, or nothing can be started here.
    pub(super) fn of(arguments: &Scan, verdict: &Verdict) -> Self {
        if arguments.no_start {
            return Self::NotTried("--no-start".to_owned());
        }
        if !verdict.process.is_empty() {
            return Self::NotTried("it cannot be loaded".to_owned());
        }
        if let Err(error) = Machine::try_process() {
            return Self::NotTried(format!("nothing runs here: {error}"));
        }
        in_a_child(arguments).unwrap_or_else(|error| Self::NotTried(error.to_string()))
    }
}

/// Starts the library in this program, and prints why it does not start.
pub(super) fn only(arguments: &Scan) -> Result<ExitCode, Failure> {
    let path = std::path::absolute(&arguments.file);
    let path = path.map_err(|error| Failure::File(arguments.file.clone(), error))?;
    match Machine::try_library(&path, &arguments.library_directory) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => print(&error.to_string()).map(|()| ExitCode::from(NOT_LOADABLE)),
    }
}

/// Has another process of this program start the library: the variable that asks the runtime to
/// write down requests is in its environment alone.
fn in_a_child(arguments: &Scan) -> io::Result<Start> {
    let file = tempfile::NamedTempFile::new()?;
    let mut command = Command::new(env::current_exe()?);
    command.args(["scan", "--only-start"]).env(FILE, file.path()).stdin(Stdio::null());
    for directory in &arguments.library_directory {
        command.arg("--library-directory").arg(directory);
    }
    let output = command.arg("--").arg(&arguments.file).output()?;
    if !output.status.success() {
        return Ok(Start::Fails(String::from_utf8_lossy(&output.stdout).into_owned()));
    }
    let asked = Asked::read(&String::from_utf8_lossy(&fs::read(file.path())?));
    Ok(Start::Works(asked.0.values().flat_map(remedies::lines).collect()))
}
