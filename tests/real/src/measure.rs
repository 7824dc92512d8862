//! Runs one library's job: once to check the result, and again to measure its cost.

use std::env;
use std::fmt;
use std::fs;
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Error, Result, bail};
use real_subject::{Running, Subject};
use serde::{Deserialize, Serialize};

/// How long a job is repeated to measure it.
const REPEAT: Duration = Duration::from_millis(300);

/// The time limit of a library for everything here, a hundred times what it needs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where a library runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Where {
    /// In a worker process.
    Process,
    /// In the program's own process, through the gate, without protection.
    InProcess,
    /// In the program's own process, as verified code.
    Sandboxed,
    /// Called directly, by plain FFI.
    Plain,
}

impl fmt::Display for Where {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Process => "process",
            Self::InProcess => "in-process",
            Self::Sandboxed => "sandboxed",
            Self::Plain => "plain",
        })
    }
}

impl FromStr for Where {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let all = [Self::Process, Self::InProcess, Self::Sandboxed, Self::Plain];
        all.into_iter().find(|place| place.to_string() == text).context("no such runtime")
    }
}

/// The result of a run.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Outcome {
    /// Why it failed, with the library's requests and output.
    pub(crate) failure: Option<String>,
    /// The time of starting it, in seconds.
    pub(crate) start: f64,
    /// The memory of its worker after the job, in bytes.
    pub(crate) memory: f64,
    /// The shortest time of the job in several runs, in seconds.
    pub(crate) job: f64,
}

/// Runs it in this process.
pub(crate) fn here(subject: &Subject, place: Where) -> Outcome {
    let start = match place {
        Where::Process => subject.process,
        Where::InProcess => subject.in_process,
        Where::Sandboxed => subject.sandboxed,
        Where::Plain => subject.plain,
    };
    let mut running = match start() {
        Ok(running) => running,
        Err(error) => return failed(&error, ""),
    };
    let done = running.run().map_err(Error::from).and_then(|()| running.confirm());
    if let Err(error) = done {
        let facts = running.facts();
        let asked = facts.requests.join("; ");
        return failed(&error, &format!("\nasked: {asked}\nwrote: {}", facts.output));
    }
    Outcome {
        failure: None,
        start: running.start_time().as_secs_f64(),
        memory: running.facts().process.and_then(memory).unwrap_or_default(),
        job: shortest(running.as_mut()).unwrap_or_default(),
    }
}

fn failed(error: &Error, more: &str) -> Outcome {
    Outcome { failure: Some(format!("{error:#}{more}")), ..Outcome::default() }
}

/// Returns the job's shortest time in as many runs as fit, since others use the machine too. The
/// first run does one-time work and does not count.
fn shortest(running: &mut dyn Running) -> Option<f64> {
    let begun = Instant::now();
    let mut times = Vec::new();
    while times.len() < 5 || begun.elapsed() < REPEAT {
        let before = Instant::now();
        running.run().ok()?;
        times.push(before.elapsed().as_secs_f64());
    }
    times.into_iter().min_by(f64::total_cmp)
}

/// Returns a process's proportional set size in bytes (proc(5), `smaps_rollup`).
fn memory(process: u32) -> Option<f64> {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? * 1024.0)
}

/// Runs it in its own process, with a time limit.
pub(crate) fn apart(subject: &Subject, place: Where) -> Result<Outcome> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["one", subject.name, &place.to_string()]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("could not start this program again")?;
    let begun = Instant::now();
    while child.try_wait()?.is_none() {
        if begun.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            bail!("no end after {PATIENCE:?}");
        }
        thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    serde_json::from_slice(&output.stdout).context("it says something else")
}
