//! Runs a command with its output in a log, and reads the log meanwhile.
//!
//! The log is a file and not a pipe, since a file can always be read to its end. A process that the
//! command leaves behind could keep a pipe open for ever.

use std::fs::File;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::log::{self, Follower};
use crate::progress::Progress;

/// The interval at which the log is polled.
const PAUSE: Duration = Duration::from_millis(50);

/// Runs `command` without input, writes its output to the file `log`, and passes on each line.
pub(crate) fn run(
    command: &mut Command,
    log: &Path,
    each_line: impl FnMut(&str),
) -> Result<ExitStatus> {
    run_all(std::slice::from_mut(command), log, each_line)
}

/// Runs commands one after another as [`run`] does, with one log for all. Returns the exit status
/// of the first that failed, or else of the last.
pub(crate) fn run_all(
    commands: &mut [Command],
    log: &Path,
    mut each_line: impl FnMut(&str),
) -> Result<ExitStatus> {
    let output = log::create(log)?;
    let mut follower = Follower::open(log)?;
    let mut outcome = None;
    for command in commands {
        let ended = run_one(command, &output, &mut follower, &mut each_line)?;
        outcome = outcome.filter(|earlier: &ExitStatus| !earlier.success()).or(Some(ended));
    }
    follower.finish(&mut each_line);
    outcome.context("there was nothing to run")
}

fn run_one(
    command: &mut Command,
    output: &File,
    follower: &mut Follower,
    mut each_line: impl FnMut(&str),
) -> Result<ExitStatus> {
    let share = || output.try_clone().context("could not share the log");
    command.stdin(Stdio::null()).stdout(share()?).stderr(share()?);
    let mut child = command
        .spawn()
        .with_context(|| format!("could not start {}", command.get_program().display()))?;
    loop {
        // The order matters: checking for the end before reading means that all earlier output is
        // read.
        let ended = child.try_wait().context("could not wait for a command to end")?;
        follower.read(&mut each_line)?;
        if let Some(status) = ended {
            return Ok(status);
        }
        thread::sleep(PAUSE);
    }
}

/// Runs a step that has to succeed, and shows its progress. If it fails, the error includes the
/// log.
pub(crate) fn step(name: &str, command: &mut Command, log: &Path) -> Result<()> {
    let mut progress = Progress::start(name);
    let ended = run(command, log, |line| progress.line(line));
    progress.finish();
    let status = ended?;
    if !status.success() {
        bail!("{name}: failed with {status}\n{}", log::tail(log));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::{run, run_all, step};
    use crate::testing::TempDir;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_kinds_of_output_arrive_in_order() {
        let directory = TempDir::new();
        let log = directory.path().join("log");
        let mut lines = Vec::new();
        let mut command = shell("echo one; echo two >&2; printf three; exit 4");
        let status = run(&mut command, &log, |line| lines.push(line.to_owned())).unwrap();
        assert_eq!(lines, ["one", "two", "three"]);
        assert_eq!(status.code(), Some(4));
    }

    #[test]
    fn of_several_commands_the_first_failure_counts() {
        let directory = TempDir::new();
        let log = directory.path().join("log");
        let mut lines = Vec::new();
        let mut commands = ["echo one", "echo two; exit 3", "echo three; exit 4"].map(shell);
        let status = run_all(&mut commands, &log, |line| lines.push(line.to_owned())).unwrap();
        assert_eq!(lines, ["one", "two", "three"]);
        assert_eq!(status.code(), Some(3));
    }

    #[test]
    fn a_process_left_behind_does_not_keep_us() {
        let directory = TempDir::new();
        let begun = Instant::now();
        run(&mut shell("sleep 5 & echo done"), &directory.path().join("log"), |_| ()).unwrap();
        assert!(begun.elapsed() < Duration::from_secs(4));
    }

    #[test]
    fn a_step_that_fails_shows_its_output() {
        let directory = TempDir::new();
        let log = directory.path().join("log");
        let error = step("Trying", &mut shell("echo because; exit 9"), &log).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("Trying"), "{message}");
        assert!(message.contains("because"), "{message}");
    }
}
