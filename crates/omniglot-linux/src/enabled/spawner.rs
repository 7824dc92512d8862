//! The thread that spawns all workers of a process.
//!
//! A worker dies with the *thread* that made it (`PR_SET_PDEATHSIG`, prctl(2)), so
//! that thread must live as long as the process: this one never ends. A forked
//! child has none of its parent's threads and gets one of its own.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use omniglot_core::{Error, Result};
use rustix::io::{FdFlags, fcntl_getfd};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::thread::sched_setaffinity;

use super::images::{self, path_of};
use super::probes;
use super::processors;
use super::system::{failed, refused};
use super::worker::{Spawned, Worker};

/// What to spawn: the stub, with a socket as its input.
#[derive(Debug)]
struct Job {
    program: String,
    socket: OwnedFd,
    keep_stderr: bool,
    reply: Sender<Result<Spawned>>,
}

/// The spawning thread of one generation of processes.
struct Spawner {
    generation: u64,
    jobs: Sender<Job>,
}

static SPAWNER: Mutex<Option<Spawner>> = Mutex::new(None);

/// Spawns the stub on the spawning thread of this process.
pub(super) fn spawn(
    generation: u64,
    stub: &OwnedFd,
    socket: OwnedFd,
    keep_stderr: bool,
) -> Result<Spawned> {
    let (reply, answer) = channel();
    let job = Job { program: path_of(stub), socket, keep_stderr, reply };
    let ended = |_| Error::System { operation: "the thread that spawns workers", errno: 0 };
    jobs(generation)?.send(job).map_err(|_| ended(()))?;
    answer.recv().map_err(|_| ended(()))?
}

fn jobs(generation: u64) -> Result<Sender<Job>> {
    let mut spawner = SPAWNER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = spawner.as_ref().filter(|known| known.generation == generation) {
        return Ok(known.jobs.clone());
    }
    let (jobs, work) = channel();
    thread::Builder::new()
        .name("omniglot-spawner".to_owned())
        .spawn(move || run(&work))
        .map_err(failed("starting the thread that spawns workers"))?;
    // The sender of a parent process is discarded: its queue belongs to a thread that does not
    // exist here.
    if let Some(inherited) = spawner.replace(Spawner { generation, jobs: jobs.clone() }) {
        std::mem::forget(inherited);
    }
    Ok(jobs)
}

/// Ends only with the process: `SPAWNER` keeps a sender.
///
/// Workers inherit the processors of this thread: those of the process's main thread, not of the
/// thread that happened to need the first worker, which may be pinned.
fn run(work: &Receiver<Job>) {
    // Without it workers run where that thread may.
    if let (true, Ok(processors)) = (probes::may_set_affinity(), processors::of_process()) {
        let _ = sched_setaffinity(None, &processors);
    }
    for job in work {
        let spawned = spawn_here(job.program, job.socket, job.keep_stderr);
        // If the asking thread is gone, nothing receives the worker; its owner is then gone, too,
        // and dropping the descriptor must not leave it running.
        if let Err(unclaimed) = job.reply.send(spawned) {
            drop(unclaimed.0.map(|spawned| Worker::of(spawned, 0)));
        }
    }
}

fn spawn_here(program: String, socket: OwnedFd, keep_stderr: bool) -> Result<Spawned> {
    let errors =
        if keep_stderr && is_inherited(io::stderr()) { Stdio::inherit() } else { nowhere()? };
    let mut child = Command::new(program)
        .env_clear()
        .stdin(Stdio::from(socket))
        .stdout(nowhere()?)
        .stderr(errors)
        .spawn()
        .map_err(failed("spawning the worker (/proc must be mounted)"))?;
    let watched = watch(child.id());
    if watched.is_err() {
        // It could not be ended later. Errors of the attempt are not reported.
        let _ = child.kill();
        let _ = child.wait();
    }
    watched
}

/// Where output goes that nobody reads: to `/dev/null`, or where there is none, as in a bare root
/// directory, to a file that refuses all.
pub(super) fn nowhere() -> Result<Stdio> {
    match OpenOptions::new().write(true).open("/dev/null") {
        Ok(file) => Ok(file.into()),
        Err(_) => Ok(images::sealed(c"omniglot-nowhere", &[])?.into()),
    }
}

/// A host may have closed its standard error; then any file of its own may have that number.
fn is_inherited(file: impl AsFd) -> bool {
    fcntl_getfd(file).is_ok_and(|flags| !flags.contains(FdFlags::CLOEXEC))
}

fn watch(id: u32) -> Result<Spawned> {
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or(Error::System { operation: "the worker's process id", errno: 0 })?;
    let descriptor = pidfd_open(pid, PidfdFlags::empty())
        .map_err(refused("watching the worker (pidfd_open, Linux 5.3)"))?;
    Ok(Spawned { id, descriptor })
}
