//! A worker process: watched, killed and reaped through its pidfd, so that nothing ever affects
//! another process that only has the same number.

use std::os::fd::{AsFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};

use super::generation;

/// How long the host waits for the kernel to end a process that it killed.
const PATIENCE: Duration = Duration::from_secs(2);
/// The same if a call's time may be over.
const SHORT_PATIENCE: Duration = Duration::from_millis(10);

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Exited(i32),
    Killed(i32),
    /// Somebody else took the status: by a wait for any child, or since `SIGCHLD` is ignored.
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

/// A process that was just spawned.
#[derive(Debug)]
pub(super) struct Spawned {
    pub(super) id: u32,
    pub(super) descriptor: OwnedFd,
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

    /// Kills the process without waiting for its end: on another processor it may run until the
    /// signal arrives there, some microseconds later.
    pub(super) fn kill(&self) {
        if self.end.is_none() {
            // A process that has ended already needs no signal.
            let _ = pidfd_send_signal(&self.descriptor, Signal::KILL);
        }
    }

    /// Stops the process, whatever it does. The stop takes effect a moment later.
    pub(super) fn pause(&self) {
        let _ = pidfd_send_signal(&self.descriptor, Signal::STOP);
    }

    /// Resumes a stopped process.
    pub(super) fn go_on(&self) {
        let _ = pidfd_send_signal(&self.descriptor, Signal::CONT);
    }

    /// Kills the process, unless it has ended by itself, and returns how it ended; unknown if the
    /// kernel does not finish that in time.
    pub(super) fn end(&mut self) -> End {
        self.end_within(PATIENCE)
    }

    /// Kills the process. This is for the end of a call, whose time may be over, so there is no
    /// long wait until the kernel has freed everything. Dropping waits for the rest.
    pub(super) fn stop(&mut self) -> End {
        self.end_within(SHORT_PATIENCE)
    }

    fn end_within(&mut self, patience: Duration) -> End {
        if let Some(end) = self.end {
            return end;
        }
        self.kill();
        if !self.ends_within(patience) {
            return End::Unknown;
        }
        let end = reap(&self.descriptor);
        self.end = Some(end);
        end
    }

    fn ends_within(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let mut descriptors = [PollFd::new(&self.descriptor, PollFlags::IN)];
            match poll(&mut descriptors, Timespec::try_from(left).ok().as_ref()) {
                Ok(0) => return false,
                Err(Errno::INTR) => {}
                // If a wait with a time limit is not possible, the wait takes as long as necessary.
                Ok(_) | Err(_) => return true,
            }
        }
    }

    /// Leaves to a thread what the kernel does not finish in time, such as the end of a process
    /// that waits for a file system that does not answer.
    fn leave(&self) {
        let Ok(descriptor) = self.descriptor.try_clone() else {
            return;
        };
        let thread = thread::Builder::new().name("omniglot-reaper".to_owned());
        // Without a thread the process's number stays in use until the host ends.
        let _ = thread.spawn(move || reap(&descriptor));
    }
}

fn reap(descriptor: &OwnedFd) -> End {
    loop {
        match waitid(WaitId::PidFd(descriptor.as_fd()), WaitIdOptions::EXITED) {
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

impl Drop for Worker {
    /// In a forked child the process belongs to the parent, and is left alone.
    fn drop(&mut self) {
        if self.generation == 0 || generation::check(self.generation).is_ok() {
            self.end();
            if self.end.is_none() {
                self.leave();
            }
        }
    }
}

#[cfg(test)]
// The owner of these waits for processes.
#[allow(clippy::expect_used, clippy::zombie_processes)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use rustix::process::{Pid, PidfdFlags, pidfd_open};

    use super::*;

    fn sleeper() -> (Worker, PathBuf) {
        let child = Command::new("sleep").arg("1000").spawn().expect("sleep");
        let id = child.id();
        let pid = Pid::from_raw(id.cast_signed()).expect("a process id");
        let descriptor = pidfd_open(pid, PidfdFlags::empty()).expect("a descriptor");
        let worker = Worker::of(Spawned { id, descriptor }, 0);
        (worker, PathBuf::from(format!("/proc/{id}")))
    }

    #[test]
    fn a_process_that_does_not_end_in_time_is_left_to_a_thread() {
        let (mut worker, place) = sleeper();
        // As if the kernel did not finish it: nothing was sent, so it does not end.
        assert!(!worker.ends_within(Duration::from_millis(1)) && !worker.has_ended());
        worker.leave();
        assert!(place.exists());
        worker.kill();
        wait_until_gone(&place);
        assert!(!place.exists(), "the thread collects it");
        assert_eq!(worker.end(), End::Unknown, "it was collected elsewhere");
    }

    #[test]
    fn a_stopped_process_is_collected_by_then_or_when_dropped() {
        let (mut worker, place) = sleeper();
        worker.stop();
        drop(worker);
        wait_until_gone(&place);
        assert!(!place.exists());
    }

    /// Waits for long: a killed process needs a processor to end, and a thread may reap it.
    fn wait_until_gone(place: &Path) {
        let until = Instant::now() + Duration::from_secs(60);
        while place.exists() && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
    }
}
