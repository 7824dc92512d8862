//! Counts a process's resources, before and after.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::Pid;

/// The longest time in which released resources may still exist. Only a defect takes that long.
const PATIENCE: Duration = Duration::from_secs(120);

/// The numbers of descriptors, window mappings, threads and children of this process.
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

    /// Counts after everything that ends by itself has ended.
    pub(crate) fn settled() -> Result<Self> {
        loop {
            let now = Self::take()?;
            thread::sleep(Duration::from_millis(200));
            if now == Self::take()? {
                return Ok(now);
            }
        }
    }

    /// Waits until the counts are the same as before.
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

/// Lists the children of all threads of a process. There are none if it has exited.
pub(crate) fn children_of(process: &str) -> Result<Vec<Pid>> {
    let mut children = Vec::new();
    let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else {
        return Ok(children);
    };
    for task in tasks {
        // A thread may exit meanwhile.
        let Ok(task) = task else { continue };
        let list = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for word in list.split_whitespace() {
            let id = word.parse().ok().and_then(Pid::from_raw);
            children.push(id.with_context(|| format!("{word} is no process id"))?);
        }
    }
    Ok(children)
}

/// Returns this process's resident memory, in KiB.
pub(crate) fn resident_kib() -> Result<u64> {
    status_kib("VmRSS:")
}

/// Returns the size of this process's address space, in KiB.
pub(crate) fn address_space_kib() -> Result<u64> {
    status_kib("VmSize:")
}

/// Returns this process's private writable memory, in KiB.
pub(crate) fn data_kib() -> Result<u64> {
    Ok(status_kib("VmData:")? + status_kib("VmStk:")?)
}

fn status_kib(field: &str) -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status").context("own status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).context("a field")?;
    line.trim().trim_end_matches(" kB").parse().context("a number")
}
