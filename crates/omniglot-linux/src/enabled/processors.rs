//! The processors that threads of this process run on.

use rustix::process::getpid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

/// The processors that the process's main thread may use.
pub(super) fn of_process() -> rustix::io::Result<CpuSet> {
    sched_getaffinity(Some(getpid()))
}

/// Moves this thread to another one of the processors that it may use, if there is one, and then
/// lets it use all of them again: those that it had before. If somebody else sets them between, that
/// is lost. The kernel then takes them for the thread's own choice, so processors that become usable
/// later, as when a container gets more, are not added.
///
/// # Errors
/// The kernel's: a sandbox may forbid it. The thread stays where it is, or, if only the second
/// change fails, may not use the processor that it left.
pub(super) fn leave() -> rustix::io::Result<()> {
    let all = sched_getaffinity(None)?;
    let mut others = all;
    others.unset(sched_getcpu());
    if others.count() == 0 {
        return Ok(());
    }
    sched_setaffinity(None, &others)?;
    sched_setaffinity(None, &all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_may_use_the_same_processors_afterwards() {
        let before = sched_getaffinity(None).expect("the thread's processors");
        leave().expect("a move");
        assert_eq!(sched_getaffinity(None), Ok(before));
    }
}
