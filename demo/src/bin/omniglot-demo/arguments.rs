//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::plain_ffi::{self, Kind};

pub(crate) const USAGE: &str = "\
Omniglot in one run: the article's example, libpng on a real picture, and a library
that attacks its host.

Usage: cargo xtask demo [FILE.png [OUT.png]]

  FILE.png  the picture to decode; by default one of 1.4 megapixels out of a crate
  OUT.png   where to write the decoded picture; by default beside the demo's program
";

/// The command to run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Demo(Arguments),
    /// Used by the demo for its own child processes.
    PlainFfi(Kind),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) file: Option<PathBuf>,
    pub(crate) out: Option<PathBuf>,
}

pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Command> {
    let arguments: Vec<OsString> = arguments.collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        return Ok(Command::Help);
    }
    if let [flag, kind] = arguments.as_slice()
        && flag == plain_ffi::FLAG
    {
        return Ok(Command::PlainFfi(Kind::named(kind)?));
    }
    let mut paths = Vec::new();
    for argument in arguments {
        if argument.as_encoded_bytes().starts_with(b"-") {
            let name = argument.display();
            bail!(
                "there is no option {name}; write ./{name} for a file of that name, or see --help"
            );
        }
        paths.push(PathBuf::from(argument));
    }
    if paths.len() > 2 {
        bail!("{} arguments are too many; name at most a PNG file and where to write", paths.len());
    }
    let mut paths = paths.into_iter();
    Ok(Command::Demo(Arguments { file: paths.next(), out: paths.next() }))
}
