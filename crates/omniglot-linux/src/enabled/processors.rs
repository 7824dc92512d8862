//! The processors that this process and its workers run on.

use rustix::process::{Pid, getpid};
use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

/// The processors that the process's main thread may use.
pub(super) fn of_process() -> rustix::io::Result<CpuSet> {
    sched_getaffinity(Some(getpid()))
}

/// Moves a process to another processor than this thread's, if it may use others. One that sleeps
/// moves when `wake` wakes it; one that waits for this thread's processor moves at once. Afterwards
/// it may use the same processors as before. Where the kernel refuses, it runs wherever the kernel
/// likes.
///
/// The process is a child that was not waited for, so the number is its own. If the host waits for
/// all children, and the child ended a moment ago, another process may have the number by now; that
/// one may then use the same processors as the child.
pub(super) fn resume_elsewhere(process: Pid, wake: impl FnOnce()) {
    let all = keep_away(process);
    wake();
    // The kernel has chosen the processor by now.
    if let Ok(Some(all)) = all {
        let _ = sched_setaffinity(Some(process), &all);
    }
}

/// Forbids a process this thread's processor. Returns all that it might use before, or `None` if
/// there is no other.
fn keep_away(process: Pid) -> rustix::io::Result<Option<CpuSet>> {
    let all = sched_getaffinity(Some(process))?;
    let mut others = all;
    others.unset(sched_getcpu());
    if others.count() == 0 {
        return Ok(None);
    }
    sched_setaffinity(Some(process), &others)?;
    Ok(Some(all))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn who_is_woken_elsewhere_may_use_the_same_processors_afterwards() {
        let mut child = Command::new("sleep").arg("1000").spawn().expect("sleep");
        let process = Pid::from_child(&child);
        let before = sched_getaffinity(Some(process)).expect("its processors");
        let mut meanwhile = before;
        resume_elsewhere(process, || {
            meanwhile = sched_getaffinity(Some(process)).expect("its processors");
        });
        assert_eq!(meanwhile.count(), (before.count() - 1).max(1));
        assert_eq!(sched_getaffinity(Some(process)), Ok(before));
        child.kill().and_then(|()| child.wait()).expect("its end");
    }
}
