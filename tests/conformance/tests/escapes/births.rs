//! A handler of the host forks while its thread is anywhere in the gate, and returns in the child
//! too: into a call of a domain whose memory the child does not have.
#![allow(unsafe_code)]

use omniglot::{Error, Result, Runtime};

use super::breakpoints::for_other_processors;
use super::debugger::{Tracee, call_back_and_call};
use super::escape::{Escape, escape};
use super::forks::has_succeeded;
use super::gate;
use super::handlers::{Handler, forked, install};
use super::library::Escapes;
use super::sample::sample;
use crate::attacks::attack::Must;
use crate::attacks::home::Home;

/// Number of instructions that are tried on an emulated processor.
const FORKS: usize = 80;

pub(crate) fn escapes<R: Runtime>(home: Home<R>) -> Vec<Escape<R>> {
    let at_every = |name: &str, flags| {
        escape(format!("births::{name}"), Must::Pass, move |_, _| Ok(!everywhere(home)))
            .preceded_by(move || install(libc::SIGUSR1, Handler::Forks, flags))
    };
    vec![
        at_every("a_fork_at_every_instruction", libc::SA_SIGINFO | libc::SA_ONSTACK),
        // Starting twice takes minutes in an emulator, and this covers no other path.
        at_every("a_fork_at_every_instruction_without_a_signal_stack", libc::SA_SIGINFO)
            .needs_processor(),
    ]
}

/// Returns true if parent and child did what they must, wherever the fork was.
fn everywhere<R: Runtime>(home: Home<R>) -> bool {
    let mut places = gate::instructions(home.isolation);
    let others = for_other_processors(&places);
    places.retain(|place| !others.contains(place));
    let tracee = Tracee::start(home, call_and_be_born);
    let mut is_right = tracee.wait_for(libc::SIGSTOP);
    let (mut forks, places) = (0, sample(places, "instructions", FORKS));
    let total = places.len();
    for place in places {
        let came_by = tracee.until_at(place);
        if came_by == Some(true) {
            forks += 1;
            tracee.interrupt();
            is_right &= tracee.wait_for(libc::SIGSTOP);
        }
        let trouble = tracee.shared.trouble();
        if came_by.is_none() || trouble.is_some() || !is_right {
            eprintln!("a fork {:#x} behind the start: {trouble:?}", place - gate::start());
            is_right = false;
            break;
        }
    }
    tracee.kill();
    eprintln!("{forks} forks at {total} instructions");
    is_right && forks > total / 4
}

/// In the child the call must fail, without any other effect.
fn call_and_be_born<R: Runtime>(home: Home<R>, library: &mut Escapes<R>) -> Result<bool> {
    let outcome = call_back_and_call(home, library);
    match forked() {
        None => outcome,
        Some(0) => {
            let is_right = outcome == Err(Error::Forked);
            if !is_right {
                eprintln!("in the child: {outcome:?}");
            }
            // SAFETY: this ends the child.
            unsafe { libc::_exit(i32::from(!is_right)) }
        }
        Some(child) => Ok(has_succeeded(child) && outcome?),
    }
}
