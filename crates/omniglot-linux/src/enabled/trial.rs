//! Trying out whether workers run where this process does.

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

/// Starts a worker as an instance does, with all that can be set left as it is, calls it, resets it
/// and calls it again.
pub(crate) fn try_process() -> Result<()> {
    let description =
        Description { name: "trial", image: IMAGE, shims: SHIMS, slots: 0, functions: &[] };
    let mut session = Session::new(Process::start(&description, &Options::default())?);
    allocate(&mut session)?;
    session.reset()?;
    allocate(&mut session)
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
