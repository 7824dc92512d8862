//! Trying out whether workers run where this process does, and whether a library starts in one.

use std::path::{Path, PathBuf};

use omniglot_core::{Description, Error, Event, Result, Session};

use super::instance::Process;
use crate::options::Options;

/// A library with nothing in it, of `worker/trial`.
static IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/trial"));

/// Its shims, which every image begins with.
const ALLOCATE: u32 = 0;
const SHIMS: u32 = 2;

/// Where the size is in the frame of `allocate`: after status and error number.
const SIZE: usize = 8;

/// The library with nothing in it, called as a library with that name would be in errors.
const fn description(name: &'static str) -> Description {
    Description { name, image: IMAGE, shims: SHIMS, slots: 0, functions: &[] }
}

/// Starts a worker as an instance does, with all that can be set left as it is, calls it, resets it
/// and calls it again.
pub(crate) fn try_process() -> Result<()> {
    let mut session = Session::new(Process::start(&description("trial"), &Options::default())?);
    allocate(&mut session)?;
    session.reset()?;
    allocate(&mut session)
}

/// Loads a library beside the one with nothing in it, so that its constructors run.
pub(crate) fn try_library(file: &Path, directories: &[PathBuf]) -> Result<()> {
    let options = Options {
        libraries: vec![file.to_owned()],
        library_directories: directories.to_vec(),
        ..Options::default()
    };
    Process::start(&description("the library"), &options).map(drop)
}

/// Has the library allocate a byte.
fn allocate(session: &mut Session<Process>) -> Result<()> {
    use omniglot_core::Runtime;

    const WRONG: Error = Error::Protocol("the trial library does something else");
    let entry = session.runtime().shim(ALLOCATE).ok_or(WRONG)?;
    let (frame, _) = session.runtime().exchange();
    session.write(frame + SIZE, &1_u64.to_ne_bytes())?;
    if session.enter(entry, frame)? == Event::Returned { Ok(()) } else { Err(WRONG) }
}
