//! Kills hosts while they start workers, and checks that nothing of them remains.

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

/// The longest time in which a dead host's processes may still exist. Only a defect takes that
/// long.
const PATIENCE: Duration = Duration::from_secs(120);
/// Number of starts that are timed, to find out how long one takes.
const TIMED: u32 = 5;

/// Kills `rounds` hosts, each a little later in its start than the previous one.
pub(crate) fn run(seed: u64, rounds: u32) -> Result<()> {
    let mut random = Rng::with_seed(seed);
    // Orphans of dead hosts become our children, so that they can be observed and waited for.
    set_child_subreaper(Some(getpid()))?;
    let files = Files::new()?;
    let one_start = time_of_a_start()?;
    let mut tally = Tally::default();
    for round in 0..rounds {
        // This covers two starts: of an instance, and of a spare.
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

/// A directory for files that hosts might leave behind.
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
        // What remains was reported already.
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

/// The host that will be killed: it makes instances, with spares and without, and uses them.
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

/// Waits for orphans until there are none. All of them must exit by themselves.
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
