//! Hosts are killed while they start workers; nothing of them may be left.

use std::env;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use rustix::process::{WaitOptions, getpid, set_child_subreaper, wait};

use crate::census::children_of;
use crate::judge::Tally;
use crate::work::{Job, builder};

/// How long what a dead host leaves may take to end. Only a defect takes so long.
const PATIENCE: Duration = Duration::from_secs(120);
/// How many starts are timed, to know what the stages of one are.
const TIMED: u32 = 5;

/// Kills `rounds` hosts, each a little later into a start than the one before.
pub(crate) fn run(seed: u64, rounds: u32) -> Result<()> {
    let mut random = Rng::with_seed(seed);
    // Processes that dead hosts leave become our children, so that they can be seen and waited for.
    set_child_subreaper(Some(getpid()))?;
    let files = Files::new()?;
    let one_start = time_of_a_start()?;
    let mut tally = Tally::default();
    for round in 0..rounds {
        // Two starts are looked at: one of an instance, and one of a spare beside it.
        let slice = one_start * 2 / rounds.max(1);
        let delay = slice * round + slice.mul_f64(random.f64());
        kill_one(&files.0, delay, &mut tally).with_context(|| format!("after {delay:?}"))?;
    }
    files.check_empty()?;
    println!("hosts: {rounds} killed, a start takes {one_start:.1?}; {tally}; seed {seed}");
    let seen = tally.of("1 worker") + tally.of("2 workers") + tally.of("3 workers");
    ensure!(seen > 0, "no host was killed while it had a worker");
    Ok(())
}

/// A directory for what hosts might leave as files.
struct Files(std::path::PathBuf);

impl Files {
    fn new() -> Result<Self> {
        let path = env::temp_dir().join(format!("omniglot-soak-{}", std::process::id()));
        fs::create_dir(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }

    fn check_empty(&self) -> Result<()> {
        let left: Vec<_> = fs::read_dir(&self.0)?.collect();
        ensure!(left.is_empty(), "files are left: {left:?}");
        Ok(())
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // What is left is reported already.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn time_of_a_start() -> Result<Duration> {
    drop(builder().build()?);
    let begin = Instant::now();
    for _ in 0..TIMED {
        drop(builder().spares(0).build()?);
    }
    Ok(begin.elapsed() / TIMED)
}

/// The host to be killed: makes instances, with spares and without, and uses them.
pub(crate) fn be_killed() -> Result<()> {
    println!("here");
    loop {
        let mut library = builder().spares(1).build()?;
        Job::Callback.on(&mut library)?;
        library.reset()?;
    }
}

fn kill_one(files: &Path, delay: Duration, tally: &mut Tally) -> Result<()> {
    let mut host = Command::new(env::current_exe()?)
        .arg("victim")
        .env("TMPDIR", files)
        .current_dir(files)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    wait_for_word(&mut host)?;
    thread::sleep(delay);
    let workers = children_of(&host.id().to_string())?.len();
    host.kill()?;
    host.wait()?;
    tally.count(if workers == 1 { "1 worker".to_owned() } else { format!("{workers} workers") });
    wait_for_the_end()
}

/// Waits until the host is about to begin.
fn wait_for_word(host: &mut Child) -> Result<()> {
    let mut word = [0; 5];
    host.stdout.take().context("its output")?.read_exact(&mut word).context("its first word")
}

/// Collects orphans until there is none left. All of them must end by themselves.
fn wait_for_the_end() -> Result<()> {
    let begin = Instant::now();
    loop {
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
        let left = children_of("self")?;
        if left.is_empty() {
            return Ok(());
        }
        ensure!(begin.elapsed() < PATIENCE, "the host is dead and these run: {left:?}");
        thread::sleep(Duration::from_micros(200));
    }
}
