//! Every system call, by number.

use libtest_mimic::{Failed, Trial};
use omniglot::{Error, FaultKind, IsolationKind, Runtime, SyscallPolicy};

use syscalls::Sysno;

use super::attack::check_fresh_instance;
use super::canaries::{Targets, with_canaries};
use super::home::Home;
use super::hostile::Hostile;

/// An upper bound of the numbers that Linux has assigned.
const NUMBERS: i64 = 500;
/// Numbers per test.
const STEP: i64 = 25;

/// The bit that marks numbers of the x32 ABI.
const X32: i64 = 0x4000_0000;
/// Calls with separate numbers there: `execve`, `ptrace`, `process_vm_writev` and so on.
const X32_ONLY: std::ops::RangeInclusive<i64> = 512..=547;

/// Calls that succeed without affecting anybody else: wait, wake, and two that only pretend to have
/// an effect.
const HARMLESS: [i64; 3] =
    [202 /* futex */, 14 /* rt_sigprocmask */, 24 /* sched_yield */];
/// Calls that manage memory, which verified code has of its region.
const OF_A_REGION: [i64; 6] = [
    9,  /* mmap */
    10, /* mprotect */
    11, /* munmap */
    12, /* brk */
    25, /* mremap */
    28, /* madvise */
];
/// One ends a thread, the other a process. The library has only one of either.
const EXITS: [i64; 2] = [60 /* exit */, 231 /* exit_group */];
/// The kernel's own calls, for probes that a debugger sets. Called from elsewhere they fail, and
/// since Linux 6.14 no filter sees them.
const PROBES: [i64; 2] = [335 /* uretprobe */, 336 /* uprobe */];

/// The return from a handler. The kernel allows it in a worker, since its server answers in a
/// handler.
const SIGNAL_RETURN: i64 = 15;
/// A request for another thread, which fails. Any other use would start a process, and ends the
/// call.
const CLONE: i64 = 56;

const EPERM: i64 = 1;
const EAGAIN: i64 = 11;
const ENOMEM: i64 = 12;

pub(crate) fn trials<R: Runtime>(home: Home<R>) -> Vec<Trial> {
    let mut trials: Vec<_> = (0..NUMBERS + 1)
        .step_by(STEP as usize)
        .map(|first| {
            let last = (first + STEP - 1).min(NUMBERS);
            trial(home, format!("numbers_{first}_to_{last}"), (first..=last).collect())
        })
        .collect();
    trials.push(trial(
        home,
        "numbers_of_x32".into(),
        (0..16).chain(X32_ONLY).map(|number| X32 + number).collect(),
    ));
    trials.push(trial(home, "large_numbers".into(), large_numbers()));
    trials
}

/// Numbers that no table contains, and `execve` with high bits that the kernel may drop.
fn large_numbers() -> Vec<i64> {
    const EXECVE: i64 = 59;
    vec![
        NUMBERS + 1,
        1000,
        4096,
        0xffff,
        i64::from(i32::MAX),
        1 << 31,
        (1 << 31) | EXECVE,
        (1 << 32) | EXECVE,
        (1 << 63) | EXECVE,
        i64::MAX,
        -1,
        -EXECVE,
        i64::MIN,
    ]
}

fn trial<R: Runtime>(home: Home<R>, name: String, numbers: Vec<i64>) -> Trial {
    home.trial(format!("system_calls::{name}"), move || {
        with_canaries(|canaries| try_all(home, &numbers, &canaries.targets()))??;
        check_fresh_instance(home)
    })
}

/// Makes each call twice: without arguments, and with arguments that target the host.
fn try_all<R: Runtime>(home: Home<R>, numbers: &[i64], targets: &Targets) -> Result<(), Failed> {
    let host = i64::from(targets.process);
    let heap = targets.heap as i64;
    let mut library = home.hostile()?;
    for number in numbers {
        for arguments in [[0; 6], [host, heap, heap, heap, 1, 1]] {
            if library.poisoned().is_some() {
                library = home.hostile()?;
            }
            try_one(&mut library, home.isolation, *number, arguments)?;
        }
    }
    Ok(())
}

fn try_one<R: Runtime>(
    library: &mut Hostile<R>,
    isolation: IsolationKind,
    number: i64,
    arguments: [i64; 6],
) -> Result<(), Failed> {
    let [a, b, c, d, e, f] = arguments;
    let outcome = library.system_call(number, a, b, c, d, e, f);
    let right = match outcome {
        Ok(result) if PROBES.contains(&number) => result < 0,
        Err(Error::Fault(fault)) if PROBES.contains(&number) => {
            fault.kind == FaultKind::IllegalInstruction
        }
        Ok(result) if number == CLONE && result == -EAGAIN => true,
        Ok(_) if isolation == IsolationKind::Process && is_answered(number) => true,
        Ok(_) if isolation == IsolationKind::Sfi && OF_A_REGION.contains(&number) => true,
        Err(Error::Fault(_)) if isolation == IsolationKind::Process => number == SIGNAL_RETURN,
        Ok(result) => result == -EPERM || result == -ENOMEM || HARMLESS.contains(&number),
        Err(Error::SyscallDenied { number: said, name, .. }) => {
            names(number, said) && !name.is_empty()
        }
        Err(Error::Exited { .. }) => EXITS.contains(&number),
        Err(_) => false,
    };
    if right {
        Ok(())
    } else {
        Err(format!("system call {number} with {arguments:?}: {outcome:?}").into())
    }
}

/// Returns true if the domain's own server answers the call. Then it has no effect outside the
/// domain: the kernel executes no such call for a worker (`confinement.rs` of omniglot-linux).
fn is_answered(number: i64) -> bool {
    // The kernel uses 32 bits.
    let name = Sysno::new(number as u32 as usize).map(|call| call.name());
    name.and_then(SyscallPolicy::of) == Some(SyscallPolicy::Answered)
}

/// Returns true if a report's number is the call's. The kernel uses 32 bits.
const fn names(number: i64, said: u64) -> bool {
    number as u32 == said as u32
}
