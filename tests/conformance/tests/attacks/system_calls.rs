//! Every system call, by number.

use libtest_mimic::{Failed, Trial};
use omniglot::{Error, FaultKind, IsolationKind, Runtime, SyscallPolicy};

use syscalls::Sysno;

use super::attack::check_fresh_instance;
use super::canaries::{Targets, with_canaries};
use super::home::Home;
use super::hostile::Hostile;
use super::machine::{PROBES, numbers_of_other_abis};

/// An upper bound of the numbers that Linux has assigned.
const NUMBERS: i64 = 500;
/// Numbers per test.
const STEP: i64 = 25;

/// Calls that succeed without affecting anybody else: wait, wake, and two that only pretend to have
/// an effect.
const HARMLESS: [i64; 3] =
    [Sysno::futex as i64, Sysno::rt_sigprocmask as i64, Sysno::sched_yield as i64];
/// One ends a thread, the other a process. The library has only one of either.
const EXITS: [i64; 2] = [Sysno::exit as i64, Sysno::exit_group as i64];
/// The return from a handler. The kernel allows it in a worker, since its server answers in a
/// handler.
const SIGNAL_RETURN: i64 = Sysno::rt_sigreturn as i64;
/// A request for another thread, which fails. Any other use would start a process, and ends the
/// call.
const CLONE: i64 = Sysno::clone as i64;

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
    trials.push(trial(home, "numbers_of_other_abis".into(), numbers_of_other_abis()));
    trials.push(trial(home, "large_numbers".into(), large_numbers()));
    trials
}

/// Numbers that no table contains, and `execve` with high bits that the kernel may drop.
fn large_numbers() -> Vec<i64> {
    const EXECVE: i64 = Sysno::execve as i64;
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
        Ok(_) if is_answered(number) => true,
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
