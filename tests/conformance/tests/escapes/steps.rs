//! A signal at every single instruction of the gate, through which a debugger steps.
#![allow(unsafe_code)]

use omniglot::{IsolationKind, Runtime};

use super::debugger::{Call, Tracee, call, call_back, call_back_and_call, fault};
use super::escape::{Escape, escape};
use super::handlers::{Handler, install};
use crate::attacks::attack::Must;
use crate::attacks::home::Home;

unsafe extern "C" {
    /// The start of the gate, without keys and with.
    fn omniglot_enter();
    fn omniglot_keyed_enter();
    fn omniglot_sfi_enter();
}

/// More steps than there are between the gate's first and last instruction in a call.
const STEPS: u64 = 360;

pub(crate) fn escapes<R: Runtime>(home: Home<R>) -> Vec<Escape<R>> {
    let stepped = |name: &str, call: Call<R>, crossing, flags| {
        escape(format!("steps::signal_at_every_step_of_{name}"), Must::Pass, move |_, _| {
            Ok(!step_through(home, call, crossing))
        })
        .preceded_by(move || install(libc::SIGUSR1, Handler::Calls, flags))
        // QEMU reports some steps late, as traps of the process itself.
        .needs_processor()
    };
    let own_stack = libc::SA_SIGINFO | libc::SA_ONSTACK;
    vec![
        stepped("a_call", call, 1, own_stack),
        stepped("a_call_without_a_signal_stack", call, 1, libc::SA_SIGINFO),
        stepped("a_callback", call_back, 1, own_stack),
        stepped("the_way_back_from_a_callback", call_back, 2, own_stack),
        stepped("a_nested_call", call_back_and_call, 2, own_stack),
        stepped("a_fault", fault, 1, own_stack),
    ]
}

/// Steps a process through the gate, each time to another instruction, and sends it a signal there.
/// `crossing` selects one of the call's entries into foreign code.
fn step_through<R: Runtime>(home: Home<R>, call: Call<R>, crossing: u32) -> bool {
    let gate = match home.isolation {
        IsolationKind::ProtectionKeys => omniglot_keyed_enter as *const () as usize,
        IsolationKind::Sfi => omniglot_sfi_enter as *const () as usize,
        _ => omniglot_enter as *const () as usize,
    };
    let tracee = Tracee::start(home, call);
    let mut steps = 0;
    let mut alive = tracee.until(libc::SIGSTOP);
    while alive && steps < STEPS && tracee.shared.trouble().is_none() {
        alive = one_round(&tracee, gate, crossing, steps);
        steps += 1;
    }
    tracee.kill();
    let trouble = tracee.shared.trouble();
    if !alive || trouble.is_some() {
        eprintln!("at step {steps}: alive {alive}, {trouble:?}");
    }
    alive && trouble.is_none()
}

/// Runs from before one call to before the next. Returns true if the process lives.
fn one_round(tracee: &Tracee, gate: usize, crossing: u32, steps: u64) -> bool {
    let original = tracee.put(gate);
    for index in 0..crossing {
        if !tracee.until(libc::SIGTRAP) {
            return false;
        }
        tracee.take_out(gate, original);
        tracee.step_back();
        if index + 1 < crossing {
            // Steps over the gate's first instruction, and continues to the gate again.
            if tracee.step() != Some(libc::SIGTRAP) {
                return false;
            }
            tracee.put(gate);
        }
    }
    for _ in 0..steps {
        if tracee.step().is_none() {
            return false;
        }
    }
    tracee.interrupt();
    tracee.wait_for(libc::SIGSTOP)
}
