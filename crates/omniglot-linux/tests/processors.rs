//! On which processors a worker and its host run.
#![allow(clippy::expect_used, clippy::panic, unsafe_code)]
#![cfg(worker_processes)]

#[allow(unused_macros)]
mod support;

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use support::{Shim, enter, start};

/// The processor on which a process ran last (proc_pid_stat(5)).
fn last_processor(process: u32) -> usize {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("its state");
    let after = stat.rsplit(") ").next().expect("what follows the name");
    after.split(' ').nth(36).and_then(|number| number.parse().ok()).expect("a number")
}

/// Calls that take long enough for the host to sleep: then the worker is awake when the next one
/// begins, but the host's thread has its processor.
#[test]
fn a_worker_does_not_stay_on_the_hosts_processor() {
    let mut linux = start::<omniglot_linux::Process>();
    let worker = Pid::from_raw(linux.process_id() as i32);
    let all = sched_getaffinity(None).expect("the processors");
    if all.count() < 2 {
        return;
    }
    let here = sched_getcpu();
    let mut only_here = CpuSet::new();
    only_here.set(here);
    sched_setaffinity(None, &only_here).expect("one processor for the host's thread");
    sched_setaffinity(worker, &only_here).expect("the same for the worker");
    let work = |linux: &mut _| enter(linux, Shim::Step, 0, 400_000, 0).expect("a call");
    work(&mut linux);
    sched_setaffinity(worker, &all).expect("all for the worker");
    // A few calls do, unless other processes want the processor, too.
    let moves = (0..10_000).any(|_| {
        work(&mut linux);
        last_processor(linux.process_id()) != here
    });
    assert!(moves, "the worker is on processor {here} after so many calls");
}
