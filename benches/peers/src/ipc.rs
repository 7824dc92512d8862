//! A worker process that receives serialised requests over a Unix socket: one round trip for each
//! job.
//!
//! This is what a careful user would build: one write and few reads for each message, which starts
//! with its length; bytes that are serialised as bytes; and buffers that are reused.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use omniglot_turns::Variant;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::jobs::{Answer, Job};

/// The argument that makes this program the worker.
pub(crate) const WORKER: &str = "--ipc-worker";

/// Size of a message's length field, in bytes.
const LENGTH: usize = 4;

/// One end of the socket.
struct End {
    socket: UnixStream,
    buffer: Vec<u8>,
}

impl End {
    fn send(&mut self, message: &impl Serialize) -> Result<()> {
        self.buffer.clear();
        self.buffer.extend([0; LENGTH]);
        self.buffer = postcard::to_extend(message, std::mem::take(&mut self.buffer))?;
        let len = u32::try_from(self.buffer.len() - LENGTH).context("too long a message")?;
        self.buffer.splice(..LENGTH, len.to_le_bytes());
        Ok(self.socket.write_all(&self.buffer)?)
    }

    /// Receives the next message. Returns `None` if the other end has closed the socket.
    fn receive<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        let mut len = [0; LENGTH];
        if self.socket.read_exact(&mut len).is_err() {
            return Ok(None);
        }
        self.buffer.resize(u32::from_le_bytes(len) as usize, 0);
        self.socket.read_exact(&mut self.buffer)?;
        Ok(Some(postcard::from_bytes(&self.buffer)?))
    }
}

/// The worker's side: handles jobs until the socket is closed.
pub(crate) fn work() -> Result<()> {
    use std::os::fd::AsFd;
    let socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let mut end = End { socket, buffer: Vec::new() };
    while let Some(job) = end.receive::<Job>()? {
        end.send(&job.run())?;
    }
    Ok(())
}

/// The worker process, which exits when this is dropped.
struct Worker {
    end: Option<End>,
    child: Child,
}

impl Worker {
    fn start() -> Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let program = std::env::current_exe().context("finding this program")?;
        let stdin = Stdio::from(OwnedFd::from(theirs));
        let child = Command::new(program).arg(WORKER).stdin(stdin).spawn()?;
        Ok(Self { end: Some(End { socket: ours, buffer: Vec::new() }), child })
    }

    fn ask(&mut self, job: &Job) -> Result<Answer> {
        let end = self.end.as_mut().context("the worker is being dropped")?;
        end.send(job)?;
        end.receive()?.context("the worker is gone")
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end = None;
        // An error needs no handling: the worker exits when the socket is closed.
        let _ = self.child.wait();
    }
}

pub(crate) fn variant(job: Job, expected: &Answer) -> Result<Variant> {
    let mut worker = Worker::start()?;
    ensure!(worker.ask(&job)? == *expected, "another answer than plain FFI's");
    Ok(Variant::new("ipc", move |count| {
        for _ in 0..count {
            let answer = worker.ask(&job)?;
            ensure!(!matches!(answer, Answer::Failed(_)), "the worker fails: {answer:?}");
        }
        Ok(())
    }))
}
