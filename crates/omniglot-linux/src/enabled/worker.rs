//! A worker process: watched, killed and reaped through its process descriptor, so
//! that nothing ever hits a process that only has the same number.

use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};

use super::generation;
use super::spawner::Spawned;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Exited(i32),
    Killed(i32),
    /// Somebody else took the status: a wait for any child, or an ignored `SIGCHLD`.
    Unknown,
}

/// A worker process that dies with its owner.
#[derive(Debug)]
pub(super) struct Worker {
    id: u32,
    descriptor: OwnedFd,
    generation: u64,
    end: Option<End>,
}

impl Worker {
    /// Takes over a process that this generation of processes spawned.
    pub(super) fn of(spawned: Spawned, generation: u64) -> Self {
        Self { id: spawned.id, descriptor: spawned.descriptor, generation, end: None }
    }

    pub(super) const fn id(&self) -> u32 {
        self.id
    }

    /// Whether the process has ended.
    pub(super) fn has_ended(&self) -> bool {
        let mut descriptors = [PollFd::new(&self.descriptor, PollFlags::IN)];
        self.end.is_some() || matches!(poll(&mut descriptors, Some(&Timespec::default())), Ok(1..))
    }

    /// Kills the process without waiting for its end: on another processor it may run on
    /// until the signal arrives there, some microseconds later.
    pub(super) fn kill(&self) {
        if self.end.is_none() {
            // A process that has ended already needs no signal.
            let _ = pidfd_send_signal(&self.descriptor, Signal::KILL);
        }
    }

    /// Kills the process, unless it has ended by itself, and says how it ended.
    pub(super) fn end(&mut self) -> End {
        if let Some(end) = self.end {
            return end;
        }
        self.kill();
        let end = self.reap();
        self.end = Some(end);
        end
    }

    fn reap(&self) -> End {
        loop {
            match waitid(WaitId::PidFd(self.descriptor.as_fd()), WaitIdOptions::EXITED) {
                Ok(Some(status)) => {
                    let exited = status.exit_status().map(End::Exited);
                    return exited
                        .or(status.terminating_signal().map(End::Killed))
                        .unwrap_or(End::Unknown);
                }
                Err(Errno::INTR) => {}
                Ok(None) | Err(_) => return End::Unknown,
            }
        }
    }
}

impl Drop for Worker {
    /// In a forked child the process belongs to the parent, and stays alone.
    fn drop(&mut self) {
        if self.generation == 0 || generation::check(self.generation).is_ok() {
            self.end();
        }
    }
}
