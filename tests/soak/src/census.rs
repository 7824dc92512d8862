//! Counts what a process holds, before and after.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::Pid;

/// How long released resources may take to go. Only a defect takes so long.
const PATIENCE: Duration = Duration::from_secs(120);

/// Descriptors, mappings of windows, threads and children of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Census {
    descriptors: usize,
    windows: usize,
    threads: usize,
    children: usize,
}

impl Census {
    pub(crate) fn take() -> Result<Self> {
        let maps = fs::read_to_string("/proc/self/maps").context("own mappings")?;
        Ok(Self {
            descriptors: count("/proc/self/fd")?,
            windows: maps.lines().filter(|line| line.contains("omniglot")).count(),
            threads: count("/proc/self/task")?,
            children: children_of("self")?.len(),
        })
    }

    /// Counts once what ends by itself has ended.
    pub(crate) fn settled() -> Result<Self> {
        loop {
            let now = Self::take()?;
            thread::sleep(Duration::from_millis(200));
            if now == Self::take()? {
                return Ok(now);
            }
        }
    }

    /// Waits until the counts are what they were before.
    pub(crate) fn wait_for_return(self) -> Result<()> {
        let begin = Instant::now();
        loop {
            let now = Self::take()?;
            if now == self {
                return Ok(());
            }
            ensure!(begin.elapsed() < PATIENCE, "left behind: {self:?} became {now:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn count(directory: &str) -> Result<usize> {
    Ok(fs::read_dir(directory).with_context(|| directory.to_owned())?.count())
}

/// The children of all threads of a process; none of one that is gone.
pub(crate) fn children_of(process: &str) -> Result<Vec<Pid>> {
    let mut children = Vec::new();
    let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else {
        return Ok(children);
    };
    for task in tasks {
        // A thread may end meanwhile.
        let Ok(task) = task else { continue };
        let list = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for word in list.split_whitespace() {
            let id = word.parse().ok().and_then(Pid::from_raw);
            children.push(id.with_context(|| format!("{word} is no process id"))?);
        }
    }
    Ok(children)
}

/// The kibibytes of this process that are in memory.
pub(crate) fn resident_kib() -> Result<u64> {
    status_kib("VmRSS:")
}

/// The kibibytes of address space that this process has.
pub(crate) fn address_space_kib() -> Result<u64> {
    status_kib("VmSize:")
}

/// The kibibytes of private memory that this process may write.
pub(crate) fn data_kib() -> Result<u64> {
    Ok(status_kib("VmData:")? + status_kib("VmStk:")?)
}

fn status_kib(field: &str) -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status").context("own status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).context("a field")?;
    line.trim().trim_end_matches(" kB").parse().context("a number")
}
